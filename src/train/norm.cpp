#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "muonlab/train/norm.hpp"

namespace muonlab::train {
namespace {

constexpr int64_t kBlock = 1 << 15;
constexpr int64_t kLanes = 16;

double block_sum_of_squares(const float* x, int64_t n) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] += static_cast<double>(x[i + j]) * x[i + j];
  }
  for (; i < n; ++i) lanes[0] += static_cast<double>(x[i]) * x[i];
  double sum = 0;
  for (double lane : lanes) sum += lane;
  return sum;
}

}  // namespace

double global_norm(const at::Tensor& flat) {
  if (!flat.is_cpu() || flat.scalar_type() != at::kFloat) {
    return at::linalg_vector_norm(flat, 2, std::nullopt, false, at::kDouble).item<double>();
  }
  const float* x = flat.const_data_ptr<float>();
  const int64_t n = flat.numel();
  std::vector<double> sums(static_cast<size_t>((n + kBlock - 1) / kBlock));
  at::parallel_for(0, static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      sums[static_cast<size_t>(b)] =
          block_sum_of_squares(x + b * kBlock, std::min(kBlock, n - b * kBlock));
    }
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return std::sqrt(total);
}

}  // namespace muonlab::train
