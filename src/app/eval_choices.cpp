#include <algorithm>
#include <cmath>
#include <iostream>

#include <nlohmann/json.hpp>

#include "eval_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/data/multiple_choice.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/train/scoring.hpp"

namespace muonlab::app {
namespace {

constexpr size_t kQuestionsTogether = 64;

// Questions answered right where the model's choice is the answer with the largest probability, the
// largest probability per token (llm.c), or per byte (lm-eval's acc_norm).
struct Score {
  int64_t questions = 0, by_sum = 0, by_token = 0, by_byte = 0;
  bool knows_bytes = true;
};

double share(int64_t right, const Score& score) {
  return static_cast<double>(right) / static_cast<double>(score.questions);
}

double standard_error(double share, const Score& score) {
  return std::sqrt(share * (1 - share) / static_cast<double>(score.questions));
}

class ChoiceEval {
 public:
  ChoiceEval(run::LoadedModel& loaded, const FileEvalOptions& options)
      : loaded_(loaded), options_(options) {
    windows_.context = loaded.config.model.context;
    windows_.stride = windows_.context;
    windows_.device = loaded.arena->values().device();
  }

  Score score() {
    const std::vector<data::ChoiceQuestion> questions = data::read_choice_questions(
        options_.choices, *loaded_.tokenizer, *loaded_.config.model.vocabulary);
    for (size_t first = 0; first < questions.size(); first += kQuestionsTogether)
      take(std::span(questions).subspan(first,
                                        std::min(kQuestionsTogether, questions.size() - first)));
    return score_;
  }

 private:
  // Of a text too long for the model it sees the end.
  train::Ids text_of(const data::ChoiceQuestion& question, const data::Choice& choice) const {
    const int64_t room = windows_.context + 1;
    if (std::ssize(choice.ids) >= room) {
      throw base::Error(options_.choices, ": an answer of ", choice.ids.size(),
                        " tokens does not fit into the model's context of ", windows_.context);
    }
    train::Ids ids = question.context;
    ids.insert(ids.end(), choice.ids.begin(), choice.ids.end());
    if (std::ssize(ids) > room) ids.erase(ids.begin(), ids.end() - room);
    return ids;
  }

  void take(std::span<const data::ChoiceQuestion> questions) {
    std::vector<train::Ids> texts;
    for (const data::ChoiceQuestion& question : questions) {
      for (const data::Choice& choice : question.choices)
        texts.push_back(text_of(question, choice));
    }
    const auto losses = train::sequence_losses(*loaded_.model, texts, windows_);
    size_t next = 0;
    for (const data::ChoiceQuestion& question : questions) {
      double best[3] = {0, 0, 0};
      size_t chosen[3] = {0, 0, 0};
      for (size_t i = 0; i < question.choices.size(); ++i) {
        const data::Choice& choice = question.choices[i];
        const std::vector<float>& all = losses[next++];
        double log_prob = 0;
        for (size_t k = all.size() - choice.ids.size(); k < all.size(); ++k) log_prob -= all[k];
        const auto tokens = static_cast<double>(choice.ids.size());
        const auto bytes = static_cast<double>(std::max<uint64_t>(1, choice.text_bytes));
        score_.knows_bytes = score_.knows_bytes && choice.text_bytes > 0;
        const double value[3] = {log_prob, log_prob / tokens, log_prob / bytes};
        for (int way = 0; way < 3; ++way) {
          if (i > 0 && value[way] <= best[way]) continue;
          best[way] = value[way];
          chosen[way] = i;
        }
      }
      ++score_.questions;
      score_.by_sum += chosen[0] == question.right;
      score_.by_token += chosen[1] == question.right;
      score_.by_byte += chosen[2] == question.right;
    }
  }

  run::LoadedModel& loaded_;
  const FileEvalOptions& options_;
  train::Windows windows_;
  Score score_;
};

}  // namespace

void evaluate_choices(run::LoadedModel& loaded, const FileEvalOptions& options) {
  const Score score = ChoiceEval(loaded, options).score();
  if (options.json) {
    nlohmann::ordered_json json{{"questions", score.questions},
                                {"accuracy", share(score.by_sum, score)},
                                {"accuracy_per_token", share(score.by_token, score)}};
    if (score.knows_bytes) json["accuracy_per_byte"] = share(score.by_byte, score);
    std::cout << record::json_text(json) << "\n";
    return;
  }
  base::TextTable table({{""}, {""}});
  const auto add = [&](const std::string& name, int64_t right) {
    const double value = share(right, score);
    table.add_row({name, base::str(base::fixed(value, 4), " ± ",
                                   base::fixed(standard_error(value, score), 4))});
  };
  table.add_row({"questions", base::with_commas(score.questions)});
  add("right by probability", score.by_sum);
  add("by probability per token", score.by_token);
  if (score.knows_bytes) add("by probability per byte", score.by_byte);
  std::cout << table.text(base::table_width());
}

}  // namespace muonlab::app
