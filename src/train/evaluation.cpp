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

namespace {

// Losses of one micro-batch of validation windows.
struct Part {
  double sum, least, largest;
};

Part measure(model::Model& model, const Batch& batch) {
  const at::Tensor losses = model.token_losses(batch.tokens_bt, batch.targets_bt);
  return {losses.sum(at::kDouble).item<double>(), losses.min().item<double>(),
          losses.max().item<double>()};
}

Evaluation evaluate(model::Model& model, const data::Corpus& valid, double bytes_per_token,
                    std::span<const int64_t> windows, int64_t micro_batch, int64_t context,
                    at::Device device, comm::Communicator& processes) {
  at::NoGradGuard no_grad;
  const int64_t there = std::ssize(windows), num_parts = (there + micro_batch - 1) / micro_batch;
  const int64_t num_processes = processes.size();
  at::Tensor own = at::zeros({num_parts, 3}, at::kDouble);
  for (int64_t part = processes.rank(); part < num_parts; part += num_processes) {
    const int64_t first = part * micro_batch, count = std::min(micro_batch, there - first);
    const Part measured = measure(
        model,
        read_windows(valid, windows.subspan(static_cast<size_t>(first), static_cast<size_t>(count)),
                     context, device));
    own[part].copy_(at::tensor({measured.sum, measured.least, measured.largest}, at::kDouble));
  }
  const at::Tensor all = processes.all_gather(own);
  double sum = 0, least = std::numeric_limits<double>::infinity(), largest = -least;
  for (int64_t part = 0; part < num_parts; ++part) {
    const double* numbers = all[part % num_processes][part].const_data_ptr<double>();
    sum += numbers[0];
    least = std::min(least, numbers[1]);
    largest = std::max(largest, numbers[2]);
  }
  Evaluation evaluation;
  evaluation.loss = sum / static_cast<double>(there * context);
  evaluation.perplexity = std::exp(evaluation.loss);
  evaluation.bits_per_byte = evaluation.loss / std::log(2.0) / bytes_per_token;
  evaluation.uniform = least == largest;
  return evaluation;
}

}  // namespace

Evaluation evaluate(model::Model& model, const data::Dataset& data,
                    std::span<const int64_t> windows, int64_t micro_batch, int64_t context,
                    at::Device device) {
  return evaluate(model, *data.valid, data.bytes_per_token, windows, micro_batch, context, device);
}

Evaluation evaluate(model::Model& model, const data::Corpus& valid, double bytes_per_token,
                    std::span<const int64_t> windows, int64_t micro_batch, int64_t context,
                    at::Device device) {
  comm::Communicator one;
  return evaluate(model, valid, bytes_per_token, windows, micro_batch, context, device, one);
}

Evaluation evaluate(Trainer& trainer) {
  const WeightAverage::InPlace average(trainer.average, trainer.arena, trainer.model);
  const Plan& plan = trainer.plan;
  const auto measure = [&](const data::Corpus& valid, double bytes_per_token) {
    const int64_t there = valid.samples_per_epoch();
    const std::vector<int64_t> windows =
        validation_windows(std::min(trainer.config.eval.samples, there), there,
                           trainer.config.eval.windows.value_or(config::EvalWindows::spread));
    return evaluate(trainer.model, valid, bytes_per_token, windows, plan.micro_batch, plan.context,
                    trainer.arena.values().device(), trainer.processes());
  };
  Evaluation evaluation = measure(*trainer.data.valid, trainer.data.bytes_per_token);
  for (const auto& [name, set] : trainer.data.valid_sets)
    evaluation.sets[name] = measure(*set.corpus, set.bytes_per_token);
  return evaluation;
}

}  // namespace muonlab::train
