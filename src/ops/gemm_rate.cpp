#include "muonlab/ops/gemm_rate.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "ops/gemm.hpp"

namespace muonlab::ops {
namespace {

// Shortest time of `work` among repetitions within the budget. A GPU is waited for after each, by
// reading a number of the result.
double best_seconds(const std::function<at::Tensor()>& work, double budget_s) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  const auto finish = [](const at::Tensor& result) {
    if (!result.is_cpu()) result.view({-1})[0].item();
  };
  finish(work());  // warms up
  double best_s = std::numeric_limits<double>::infinity();
  const auto start = Clock::now();
  do {
    const auto from = Clock::now();
    finish(work());
    best_s = std::min(best_s, seconds_since(from));
  } while (seconds_since(start) < budget_s);
  return best_s;
}

}  // namespace

double gemm_gflops(at::ScalarType dtype, int64_t n, double budget_s, at::Device device) {
  at::NoGradGuard no_grad;
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  const tensor::Path path = device.is_cpu() ? tensor::Path::cpu : tensor::Path::cuda;
  // A GPU multiplies ones faster than numbers that change its bits.
  const auto matrix = [&] {
    return device.is_cpu() ? at::ones({n, n}, options) : at::randn({n, n}, options);
  };
  const at::Tensor x = matrix(), w = matrix();
  const double best_s = best_seconds([&] { return multiply_transposed(path, x, w); }, budget_s);
  const auto size = static_cast<double>(n);
  return 2.0 * size * size * size / best_s / 1e9;
}

double copy_gigabytes(at::Device device, double budget_s) {
  constexpr int64_t kBytes = int64_t{1} << 30;
  const at::Tensor from = at::zeros({kBytes}, at::TensorOptions().dtype(at::kByte).device(device));
  const at::Tensor to = at::empty_like(from);
  const double best_s = best_seconds([&] { return to.copy_(from); }, budget_s);
  return 2.0 * static_cast<double>(kBytes) / best_s / 1e9;
}

double gemm_peak_gflops(config::Precision precision, double budget_s, at::Device device) {
  const at::ScalarType dtype = precision == config::Precision::bf16 ? at::kBFloat16 : at::kFloat;
  const std::vector<int64_t> sizes =
      device.is_cpu() ? std::vector<int64_t>{512, 1024} : std::vector<int64_t>{4096, 8192};
  double peak = 0;
  for (const int64_t n : sizes) peak = std::max(peak, gemm_gflops(dtype, n, budget_s / 2, device));
  return peak;
}

}  // namespace muonlab::ops
