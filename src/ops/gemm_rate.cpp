#include "muonlab/ops/gemm_rate.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "ops/gemm.hpp"

namespace muonlab::ops {

double gemm_gflops(at::ScalarType dtype, int64_t n, double budget_s) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  at::NoGradGuard no_grad;
  const at::Tensor x = at::ones({n, n}, dtype), w = at::ones({n, n}, dtype);
  multiply_transposed(x, w);  // warms up
  double best_s = std::numeric_limits<double>::infinity();
  const auto start = Clock::now();
  do {
    const auto from = Clock::now();
    multiply_transposed(x, w);
    best_s = std::min(best_s, seconds_since(from));
  } while (seconds_since(start) < budget_s);
  const auto size = static_cast<double>(n);
  return 2.0 * size * size * size / best_s / 1e9;
}

double gemm_peak_gflops(config::Precision precision, double budget_s) {
  const at::ScalarType dtype = precision == config::Precision::bf16 ? at::kBFloat16 : at::kFloat;
  double peak = 0;
  for (const int64_t n : {512, 1024}) peak = std::max(peak, gemm_gflops(dtype, n, budget_s / 2));
  return peak;
}

}  // namespace muonlab::ops
