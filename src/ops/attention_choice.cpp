#include "muonlab/ops/attention_choice.hpp"

#include <cstdlib>
#include <optional>
#include <string_view>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/tensor/plugin.hpp"
#include "ops/aten_attention.hpp"

namespace muonlab::ops {
namespace {

constexpr double kClearlyFaster = 1.15;
constexpr int kWarmups = 3, kRepetitions = 10;
constexpr double kTolerance = 0.05;  // of the largest number, in bf16

std::optional<GpuAttention> asked_for() {
  const char* asked = std::getenv("MUONLAB_ATTENTION");
  if (asked == nullptr) return std::nullopt;
  for (const GpuAttention one : {GpuAttention::flash, GpuAttention::cudnn}) {
    if (std::string_view(asked) == gpu_attention_name(one)) return one;
  }
  return std::nullopt;
}

GpuAttention& in_use() {
  static GpuAttention attention = asked_for().value_or(GpuAttention::flash);
  return attention;
}

struct Pass {
  std::vector<at::Tensor> results;  // out and the gradients

  bool equals(const Pass& other, double tolerance) const {
    for (size_t i = 0; i < results.size(); ++i) {
      const double largest = results[i].abs().max().item<double>();
      const double off = (results[i] - other.results[i]).abs().max().item<double>();
      if (!(off <= tolerance * largest)) return false;  // nor where either is no number
    }
    return true;
  }
};

Pass pass(const at::Tensor& rows, const at::Tensor& d_out, const AttentionShape& shape) {
  const Attended attended = attend_by_aten(rows, shape);
  const AttentionGradients d = attend_backward_by_aten(rows, attended, d_out, shape);
  return {{attended.out, d.query, d.key, d.value}};
}

double seconds(const at::Tensor& rows, const at::Tensor& d_out, const AttentionShape& shape) {
  const auto wait = [](const Pass& last) { last.results[1].flatten()[0].item<float>(); };
  for (int i = 0; i < kWarmups; ++i) wait(pass(rows, d_out, shape));
  const base::Stopwatch watch;
  Pass last;
  for (int i = 0; i < kRepetitions; ++i) last = pass(rows, d_out, shape);
  wait(last);
  return watch.seconds() / kRepetitions;
}

AttentionTrial measure(const at::Tensor& rows, const at::Tensor& d_out,
                       const AttentionShape& shape) {
  AttentionTrial trial;
  in_use() = GpuAttention::flash;
  trial.flash_s = seconds(rows, d_out, shape);
  const Pass expected = pass(rows, d_out, shape);
  in_use() = GpuAttention::cudnn;
  trial.cudnn_s = seconds(rows, d_out, shape);
  const Pass first = pass(rows, d_out, shape);
  trial.agrees = first.equals(expected, kTolerance);
  trial.same_bits = true;
  for (int i = 0; i < kWarmups; ++i) trial.same_bits &= first.equals(pass(rows, d_out, shape), 0);
  return trial;
}

}  // namespace

GpuAttention gpu_attention() { return in_use(); }

const char* gpu_attention_name(GpuAttention attention) {
  return attention == GpuAttention::cudnn ? "cudnn" : "flash";
}

GpuAttention better_attention(const AttentionTrial& trial) {
  const bool faster = trial.cudnn_s * kClearlyFaster <= trial.flash_s;
  return faster && trial.cudnn_s > 0 && trial.same_bits && trial.agrees ? GpuAttention::cudnn
                                                                        : GpuAttention::flash;
}

std::string choose_gpu_attention(const config::RunConfig& run, at::Device device) {
  const AttentionSpec spec = attention_spec(run.model, 0);
  const AttentionShape shape{.num_sequences = *run.train.micro_batch,
                             .num_positions = run.model.context,
                             .heads = spec.heads,
                             .scale = spec.scale};
  if (!device.is_cuda() || run.precision != config::Precision::bf16 || asked_for() ||
      !suits_cudnn(shape) || tensor::plugin::compute_capability() != 90)
    return "";
  const at::NoGradGuard no_grad;
  const auto options = at::TensorOptions().dtype(at::kBFloat16).device(device);
  const int64_t n = shape.num_sequences * shape.num_positions;
  AttentionTrial trial;
  try {
    const at::Tensor rows = at::randn({n, spec.heads.packed_width()}, options);
    trial = measure(rows, at::randn({n, spec.heads.query_width()}, options), shape);
  } catch (const c10::Error& error) {
    in_use() = GpuAttention::flash;
    return base::str("cuDNN's attention failed: ", error.what_without_backtrace());
  }
  in_use() = better_attention(trial);
  return base::str("forward and backward take ", base::fixed(1e3 * trial.flash_s, 2),
                   " ms by flash attention, ", base::fixed(1e3 * trial.cudnn_s, 2),
                   " ms by cuDNN's, whose gradients ",
                   trial.same_bits ? "have the same bits each time" : "differ from time to time",
                   trial.agrees ? "" : " and are not those of flash attention");
}

}  // namespace muonlab::ops
