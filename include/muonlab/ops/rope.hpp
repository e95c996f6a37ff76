// Rotary position embedding (Su et al., arXiv 2104.09864), half-rotation layout as in Hugging
// Face's Llama.
#pragma once

#include <ATen/core/Tensor.h>

namespace muonlab::ops {

// cos and sin of position * theta^(-2 i / d), i = 0 … d/2 - 1, computed in double.
struct RotaryTable {
  at::Tensor cos_th;  // [t, d/2]
  at::Tensor sin_th;
};
RotaryTable make_rotary_table(int64_t num_positions, int64_t head_dim, double theta,
                              at::ScalarType dtype, at::Device device);

// x [b, t, heads, d] -> (x1 cos - x2 sin, x2 cos + x1 sin) with x1, x2 the halves of the last
// dimension; positions 0 … t-1.
at::Tensor rope_reference(const at::Tensor& x_bthd, const RotaryTable& table);

}  // namespace muonlab::ops
