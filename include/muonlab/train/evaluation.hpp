// The loss on the validation data.
#pragma once

#include <cstdint>

#include "muonlab/data/corpus.hpp"
#include "muonlab/model/model.hpp"
#include "muonlab/train/trainer.hpp"

namespace muonlab::train {

struct Evaluation {
  double loss = 0;           // mean nats a token
  double perplexity = 0;     // exp(loss)
  double bits_per_byte = 0;  // loss in bits a byte of text
  // Every token has exactly the same loss, as where activations overflowed so far that a norm made
  // zeros of them: a model that has learned anything does not give this.
  bool uniform = false;
};
// Over the first plan.eval_windows validation windows.
Evaluation evaluate(Trainer& trainer);
Evaluation evaluate(model::Model& model, const data::Dataset& data, int64_t windows,
                    int64_t micro_batch, int64_t context, at::Device device);

}  // namespace muonlab::train
