// muonlab tail: what checkpoints know of rare facts.
#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/biographies.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/train/tail.hpp"

namespace muonlab::app {
namespace {

using base::pad_left;
using base::pad_right;

constexpr size_t kLabelWidth = 12, kQuestionsWidth = 11, kNumberWidth = 8;
constexpr size_t kBlockWidth = 3 * kNumberWidth;

struct TailOptions {
  std::vector<std::string> checkpoints;
  int64_t classes = 500;
  bool held_out = false, json = false;
};

struct Examined {
  std::string name;
  int64_t step = 0;
  train::TailResult result;
};

Examined examine(const std::string& name, const TailOptions& options) {
  run::LoadedModel loaded = run::load_model(name);
  const auto* config = std::get_if<config::BiographiesConfig>(&loaded.config.data);
  if (config == nullptr) {
    throw base::Error(name, ": its corpus holds no people; `tail` is for data.kind biographies");
  }
  const auto wording = options.held_out ? data::Wording::held_out : data::Wording::trained;
  const train::TailExam exam(data::Biographies(*config).exam(options.classes, wording),
                             *loaded.tokenizer, loaded.config.model.context);
  return {name, loaded.state.step, exam.take(*loaded.model, loaded.arena->values().device())};
}

// The end of a name says more than its beginning.
std::string clip_start(const std::string& text, size_t width) {
  return text.size() <= width ? text : "…" + text.substr(text.size() - width + 1);
}

std::string cells(const std::vector<train::TailScore>& scores, size_t row) {
  if (row >= scores.size() || scores[row].questions == 0) return std::string(kBlockWidth, ' ');
  const train::TailScore& score = scores[row];
  return pad_left(base::fixed(score.first_token_accuracy, 3), kNumberWidth) +
         pad_left(base::fixed(score.exact_accuracy, 3), kNumberWidth) +
         pad_left(base::fixed(score.loss, 3), kNumberWidth);
}

using Part = std::vector<train::TailScore> train::TailResult::*;

void print_part(const std::vector<Examined>& all, const std::string& title, Part part,
                const std::function<std::string(size_t)>& label) {
  std::string head = pad_right(title, kLabelWidth) + pad_left("questions", kQuestionsWidth);
  size_t num_rows = 0;
  for (const Examined& one : all) {
    head += pad_left("first", kNumberWidth) + pad_left("exact", kNumberWidth) +
            pad_left("loss", kNumberWidth);
    num_rows = std::max(num_rows, (one.result.*part).size());
  }
  std::cout << head << "\n";
  for (size_t row = 0; row < num_rows; ++row) {
    int64_t questions = 0;
    std::string line;
    for (const Examined& one : all) {
      const auto& scores = one.result.*part;
      if (row < scores.size()) questions = std::max(questions, scores[row].questions);
      line += cells(scores, row);
    }
    if (questions == 0) continue;
    std::cout << pad_right(label(row), kLabelWidth)
              << pad_left(base::with_commas(questions), kQuestionsWidth) << line << "\n";
  }
}

void print_tables(const std::vector<Examined>& all, bool held_out) {
  std::string names(kLabelWidth + kQuestionsWidth, ' ');
  for (const Examined& one : all) {
    const std::string step = base::str(" step ", one.step);
    names += pad_left(clip_start(one.name, kBlockWidth - 2 - step.size()) + step, kBlockWidth);
  }
  std::cout << names << "\n";
  print_part(all, "group", &train::TailResult::groups,
             [](size_t row) { return std::to_string(row); });
  std::cout << "\n";
  print_part(all, "attribute", &train::TailResult::attributes,
             [](size_t row) { return std::string(data::kAttributeNames.at(row)); });
  std::cout
      << "\nfirst: share whose first answer token is the likeliest; exact: whole answers by greedy "
         "decoding; loss: nats "
         "a token of the\nanswers. A person of group g was asked about 2^(m-g) times. Wordings: "
      << (held_out ? "kept from training for that fact" : "as trained") << ".\n";
}

}  // namespace

void add_tail(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "tail",
      R"(Measure what checkpoints know of frequent and rare facts, by frequency group and attribute.

  muonlab tail runs/quickstart
  muonlab tail runs/muon runs/adam@400 --classes 100 --held-out)");
  auto options = std::make_shared<TailOptions>();
  command->add_option("CHECKPOINT", options->checkpoints, "runs, RUN@STEP, or checkpoints' folders")
      ->required();
  command
      ->add_option("--classes", options->classes, "people asked about a group, the same each time")
      ->capture_default_str()
      ->check(at_least(1));
  command->add_flag("--held-out", options->held_out,
                    "ask in the wording kept from training for that fact");
  command->add_flag("--json", options->json, "print one JSON object a line, as in tail.jsonl");
  command->callback([options] {
    std::vector<Examined> all;
    for (const std::string& name : options->checkpoints) all.push_back(examine(name, *options));
    if (!options->json) return print_tables(all, options->held_out);
    for (const Examined& one : all) {
      for (const std::string& line : train::tail_lines(one.result, one.step, one.name))
        std::cout << line << "\n";
    }
  });
}

}  // namespace muonlab::app
