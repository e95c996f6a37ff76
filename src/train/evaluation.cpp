#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/train/batch.hpp"
#include "muonlab/train/evaluation.hpp"

namespace muonlab::train {

Evaluation evaluate(model::Model& model, const data::Dataset& data, int64_t windows,
                    int64_t micro_batch, int64_t context, at::Device device) {
  at::NoGradGuard no_grad;
  double sum = 0;
  float least = std::numeric_limits<float>::infinity(), largest = -least;
  for (int64_t first = 0; first < windows; first += micro_batch) {
    const int64_t count = std::min(micro_batch, windows - first);
    const Batch batch = read_batch(*data.valid, first, count, context, true, device);
    const at::Tensor losses = model.token_losses(batch.tokens_bt, batch.targets_bt);
    sum += losses.sum(at::kDouble).item<double>();
    least = std::min(least, losses.min().item<float>());
    largest = std::max(largest, losses.max().item<float>());
  }
  Evaluation evaluation;
  evaluation.loss = sum / static_cast<double>(windows * context);
  evaluation.perplexity = std::exp(evaluation.loss);
  evaluation.bits_per_byte = evaluation.loss / std::log(2.0) / data.bytes_per_token;
  evaluation.uniform = least == largest;
  return evaluation;
}

Evaluation evaluate(Trainer& trainer) {
  return evaluate(trainer.model, trainer.data, trainer.plan.eval_windows, trainer.plan.micro_batch,
                  trainer.plan.context, trainer.arena.values().device());
}

}  // namespace muonlab::train
