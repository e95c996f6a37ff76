// Questions with given answers, one of which is right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

struct Choice {
  std::vector<int32_t> ids;
  uint64_t text_bytes = 0;  // of the answer without the space before it; 0 where nobody knows
};

struct ChoiceQuestion {
  std::vector<int32_t> context;
  std::vector<Choice> choices;  // at least two
  size_t right = 0;
};

// From an evaluation file of llm.c (ids of GPT-2; docs/formats.md), or from JSON lines in the forms
// of HellaSwag (ctx, endings, label), ARC (question, choices.text, choices.label, answerKey), PIQA
// (goal, sol1, sol2, label) and plain (context, choices, label). Throws Error naming file and place
// of what is malformed, and of an id that is not below `vocabulary`.
std::vector<ChoiceQuestion> read_choice_questions(const std::string& path,
                                                  const Tokenizer& tokenizer, int64_t vocabulary);

}  // namespace muonlab::data
