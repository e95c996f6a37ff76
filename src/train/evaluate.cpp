#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/train/trainer.hpp"

namespace muonlab::train {

Evaluation evaluate(model::Model& model, const data::Dataset& data, int64_t windows,
                    int64_t micro_batch, int64_t context, at::Device device) {
  at::NoGradGuard no_grad;
  double sum = 0;
  for (int64_t first = 0; first < windows; first += micro_batch) {
    const int64_t count = std::min(micro_batch, windows - first);
    const Batch batch = read_batch(*data.valid, first, count, context, true, device);
    sum += model.token_losses(batch.tokens_bt, batch.targets_bt).sum(at::kDouble).item<double>();
  }
  Evaluation evaluation;
  evaluation.loss = sum / static_cast<double>(windows * context);
  evaluation.perplexity = std::exp(evaluation.loss);
  evaluation.bits_per_byte = evaluation.loss / std::log(2.0) / data.bytes_per_token;
  return evaluation;
}

Evaluation evaluate(Trainer& trainer) {
  return evaluate(trainer.model, trainer.data, trainer.plan.eval_windows, trainer.plan.micro_batch,
                  trainer.plan.context, trainer.arena.values().device());
}

}  // namespace muonlab::train
