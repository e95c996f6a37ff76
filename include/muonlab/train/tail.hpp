// What a model knows of rare facts: the biographies' questions by how often their people occur
// (arXiv 2509.26030, Observation 3: "first-token accuracy").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "muonlab/data/corpus.hpp"
#include "muonlab/model/model.hpp"

namespace muonlab::train {

struct TailScore {
  int64_t questions = 0;
  double first_token_accuracy =
      0;  // share whose likeliest first token after "Answer:" is the answer's
  // share that greedy decoding answers word for word, the full stop included
  double exact_accuracy = 0;
  double loss = 0;  // mean nats a token of the answers, the full stop included
};

struct TailResult {
  std::vector<TailScore> groups;      // by frequency group, 0 (most frequent) … m
  std::vector<TailScore> attributes;  // by attribute, all groups' questions alike
};

// The questions as token ids, made once for a run. A question is asked as a document begins in
// training, after an end-of-text id.
class TailExam {
 public:
  // Throws base::Error when a question with its answer is longer than `context`.
  TailExam(const std::vector<data::Question>& questions, const data::Tokenizer& tokenizer,
           int64_t context);

  // With the true answer as input (teacher forcing): greedy decoding gives the whole answer exactly
  // if every token of it is the likeliest after those before it. Questions of similar length share
  // a batch.
  TailResult take(model::Model& model, at::Device device) const;

 private:
  struct Asked {
    std::vector<int32_t> ids;  // end-of-text, question, answer
    int64_t prompt;            // ids before the answer
    int group, attribute;
  };
  struct Sums;
  void take_batch(model::Model& model, at::Device device, size_t first, size_t count,
                  Sums& sums) const;

  std::vector<Asked> asked_;  // shortest first
  int num_groups_ = 0, num_attributes_ = 0;
};

// A JSON object a group, then one an attribute, without line ends (docs/formats.md, tail.jsonl).
// With a checkpoint's name, that comes first.
std::vector<std::string> tail_lines(const TailResult& result, int64_t step,
                                    const std::string& checkpoint = "");

}  // namespace muonlab::train
