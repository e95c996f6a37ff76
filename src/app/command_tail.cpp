// muonlab tail: what checkpoints know of rare facts.
#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/data/biographies.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/train/tail.hpp"

namespace muonlab::app {
namespace {

struct TailOptions {
  std::vector<std::string> checkpoints;
  int64_t classes = 500;
  bool held_out = false, json = false;
  config::Device device = config::Device::automatic;
};

struct Examined {
  std::string name;
  int64_t step = 0;
  train::TailResult result;
};

Examined examine(const std::string& name, const TailOptions& options) {
  run::LoadedModel loaded = run::load_model(name, options.device);
  const auto* config = std::get_if<config::BiographiesConfig>(&loaded.config.data);
  if (config == nullptr) {
    throw base::Error(name, ": its corpus holds no people; `tail` is for data.kind biographies");
  }
  const auto wording = options.held_out ? data::Wording::held_out : data::Wording::trained;
  const train::TailExam exam(data::Biographies(*config).exam(options.classes, wording),
                             *loaded.tokenizer, loaded.config.model.context);
  return {name, loaded.state.step, exam.take(*loaded.model, loaded.arena->values().device())};
}

using Part = std::vector<train::TailScore> train::TailResult::*;

// A row of the part's table for each checkpoint that was asked anything there.
void print_part(const std::vector<Examined>& all, const std::string& title, Part part,
                const std::function<std::string(size_t)>& label) {
  using enum base::TextColumn::Kind;
  std::vector<base::TextColumn> columns{
      {title}, {"questions", number}, {"first", number}, {"exact", number}, {"loss", number}};
  if (all.size() > 1) columns.insert(columns.begin() + 1, {"checkpoint"});
  base::TextTable table(columns);
  size_t num_rows = 0;
  for (const Examined& one : all) num_rows = std::max(num_rows, (one.result.*part).size());
  for (size_t row = 0; row < num_rows; ++row) {
    for (const Examined& one : all) {
      const auto& scores = one.result.*part;
      if (row >= scores.size() || scores[row].questions == 0) continue;
      const train::TailScore& score = scores[row];
      std::vector<std::string> cells{label(row), base::with_commas(score.questions),
                                     base::fixed(score.first_token_accuracy, 3),
                                     base::fixed(score.exact_accuracy, 3),
                                     base::fixed(score.loss, 3)};
      if (all.size() > 1) cells.insert(cells.begin() + 1, base::str(one.name, " step ", one.step));
      table.add_row(std::move(cells));
    }
  }
  std::cout << table.text(base::table_width()) << "\n";
}

void print_tables(const std::vector<Examined>& all, bool held_out) {
  if (all.size() == 1) std::cout << all[0].name << " step " << all[0].step << "\n\n";
  print_part(all, "group", &train::TailResult::groups,
             [](size_t row) { return std::to_string(row); });
  print_part(all, "attribute", &train::TailResult::attributes,
             [](size_t row) { return std::string(data::kAttributeNames.at(row)); });
  const std::string legend = base::str(
      "first: share of questions whose first answer token is the likeliest. exact: share of whole "
      "answers that greedy decoding gets right. loss: nats a token of the answers. Unless "
      "data.uniform was set, a person of group g was asked about 2^(m-g) times. Wordings: ",
      held_out ? "kept from training for that fact." : "as trained.");
  for (const std::string& line : base::wrap_text(legend, base::table_width()))
    std::cout << line << "\n";
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
      ->add_option("--classes", options->classes,
                   "people of each group to ask about, the same each time")
      ->capture_default_str()
      ->check(at_least(1));
  command->add_flag("--held-out", options->held_out,
                    "ask each question in the wording that was kept out of training");
  add_device(*command, options->device);
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
