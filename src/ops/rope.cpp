#include "muonlab/ops/rope.hpp"

#include <cmath>

#include <ATen/ATen.h>

namespace muonlab::ops {

RotaryTable make_rotary_table(int64_t num_positions, int64_t head_dim, const Rotation& rotation,
                              at::ScalarType dtype, at::Device device) {
  const int64_t half = head_dim / 2;
  const RotaryFrequencies frequencies = rotary_frequencies(num_positions, head_dim, rotation);
  at::Tensor cos_th = at::empty({num_positions, half}, at::kDouble);
  at::Tensor sin_th = at::empty({num_positions, half}, at::kDouble);
  double* cosines = cos_th.mutable_data_ptr<double>();
  double* sines = sin_th.mutable_data_ptr<double>();
  for (int64_t position = 0; position < num_positions; ++position) {
    for (int64_t i = 0; i < half; ++i) {
      const double angle =
          static_cast<double>(position) * frequencies.radians[static_cast<size_t>(i)];
      cosines[position * half + i] = frequencies.factor * std::cos(angle);
      sines[position * half + i] = frequencies.factor * std::sin(angle);
    }
  }
  return {cos_th.to(device, dtype), sin_th.to(device, dtype)};
}

at::Tensor rope_reference(const at::Tensor& x_bthd, const RotaryTable& table) {
  const int64_t num_positions = x_bthd.size(1);
  const int64_t half = x_bthd.size(3) / 2;
  const at::Tensor cosine = table.cos_th.narrow(0, 0, num_positions).unsqueeze(1);
  const at::Tensor sine = table.sin_th.narrow(0, 0, num_positions).unsqueeze(1);
  const at::Tensor x1 = x_bthd.narrow(3, 0, half);
  const at::Tensor x2 = x_bthd.narrow(3, half, half);
  return at::cat({x1 * cosine - x2 * sine, x2 * cosine + x1 * sine}, -1);
}

}  // namespace muonlab::ops
