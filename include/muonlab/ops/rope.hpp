// Rotary position embedding (Su et al., arXiv 2104.09864), half-rotation layout as in Hugging
// Face's Llama.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/ops/attention_spec.hpp"

namespace muonlab::ops {

// What a pair (i, i + d/2) of a head turns by from one position to the next, i = 0 … d/2 - 1, in
// sequences of num_positions; 0 for a pair that is not rotated.
struct RotaryFrequencies {
  std::vector<double> radians;
  double factor = 1.0;  // on rotated queries and keys
};
RotaryFrequencies rotary_frequencies(int64_t num_positions, int64_t head_dim,
                                     const Rotation& rotation);

// cos and sin of position * frequency, times the factor, computed in double.
struct RotaryTable {
  at::Tensor cos_th;  // [t, d/2]
  at::Tensor sin_th;
};
RotaryTable make_rotary_table(int64_t num_positions, int64_t head_dim, const Rotation& rotation,
                              at::ScalarType dtype, at::Device device);

inline RotaryTable make_rotary_table(int64_t num_positions, int64_t head_dim, double theta,
                                     at::ScalarType dtype, at::Device device) {
  return make_rotary_table(num_positions, head_dim, Rotation{.theta = theta}, dtype, device);
}

// Whether a table serves shorter sequences too: false for a scaling that depends on the length.
bool serves_shorter(const Rotation& rotation);

// x [b, t, heads, d] -> (x1 cos - x2 sin, x2 cos + x1 sin) with x1, x2 the halves of the last
// dimension; positions 0 … t-1.
at::Tensor rope_reference(const at::Tensor& x_bthd, const RotaryTable& table);

}  // namespace muonlab::ops
