#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/train/batch.hpp"
#include "muonlab/train/evaluation.hpp"

namespace muonlab::train {

std::vector<int64_t> validation_windows(int64_t count, int64_t there, config::EvalWindows which) {
  base::check(count <= there, "more validation windows than there are");
  std::vector<int64_t> windows(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    // Without overflow, and without a repeat: i * there / count.
    windows[static_cast<size_t>(i)] =
        which == config::EvalWindows::first ? i : i * (there / count) + i * (there % count) / count;
  }
  return windows;
}

Evaluation evaluate(model::Model& model, const data::Dataset& data,
                    std::span<const int64_t> windows, int64_t micro_batch, int64_t context,
                    at::Device device) {
  at::NoGradGuard no_grad;
  double sum = 0;
  float least = std::numeric_limits<float>::infinity(), largest = -least;
  for (size_t first = 0; first < windows.size(); first += static_cast<size_t>(micro_batch)) {
    const size_t count = std::min(static_cast<size_t>(micro_batch), windows.size() - first);
    const Batch batch = read_windows(*data.valid, windows.subspan(first, count), context, device);
    const at::Tensor losses = model.token_losses(batch.tokens_bt, batch.targets_bt);
    sum += losses.sum(at::kDouble).item<double>();
    least = std::min(least, losses.min().item<float>());
    largest = std::max(largest, losses.max().item<float>());
  }
  Evaluation evaluation;
  evaluation.loss = sum / static_cast<double>(std::ssize(windows) * context);
  evaluation.perplexity = std::exp(evaluation.loss);
  evaluation.bits_per_byte = evaluation.loss / std::log(2.0) / data.bytes_per_token;
  evaluation.uniform = least == largest;
  return evaluation;
}

Evaluation evaluate(Trainer& trainer) {
  const WeightAverage::InPlace average(trainer.average, trainer.arena, trainer.model);
  const std::vector<int64_t> windows =
      validation_windows(trainer.plan.eval_windows, trainer.data.valid->samples_per_epoch(),
                         trainer.config.eval.windows.value_or(config::EvalWindows::spread));
  return evaluate(trainer.model, trainer.data, windows, trainer.plan.micro_batch,
                  trainer.plan.context, trainer.arena.values().device());
}

}  // namespace muonlab::train
