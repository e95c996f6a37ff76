// The loss on the validation data.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "muonlab/data/corpus.hpp"
#include "muonlab/model/model.hpp"
#include "muonlab/train/trainer.hpp"

namespace muonlab::train {

struct Evaluation {
  double loss = 0;           // mean nats a token
  double perplexity = 0;     // exp(loss)
  double bits_per_byte = 0;  // loss in bits a byte of text
  // Every token has exactly the same loss, as where activations overflowed so far that a norm made
  // zeros of them, and also in a text of one repeated token.
  bool uniform = false;
  // Of data.valid_sets, by name; each has no sets of its own.
  std::map<std::string, Evaluation> sets{};
};
// The numbers of `count` of the windows 0 … there - 1, count <= there.
std::vector<int64_t> validation_windows(int64_t count, int64_t there, config::EvalWindows which);
// Over plan.eval_windows validation windows, those that eval.windows says, and as many of each of
// data.valid_sets, or all that it has. The processes of a run share the micro-batches out; all of
// them get the result, which is the same with any number.
Evaluation evaluate(Trainer& trainer);
// By one process.
Evaluation evaluate(model::Model& model, const data::Dataset& data,
                    std::span<const int64_t> windows, int64_t micro_batch, int64_t context,
                    at::Device device);
// On one set of validation data, whose text has bytes_per_token.
Evaluation evaluate(model::Model& model, const data::Corpus& valid, double bytes_per_token,
                    std::span<const int64_t> windows, int64_t micro_batch, int64_t context,
                    at::Device device);

}  // namespace muonlab::train
