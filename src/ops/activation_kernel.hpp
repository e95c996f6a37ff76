// Rows of the feed-forward's nonlinearity and its derivative.
#pragma once

#include <cstdint>

#include "muonlab/config/model.hpp"
#include "ops/simd.hpp"

namespace muonlab::ops {

// Rows [begin, end). Gated: x rows are [in | gate] of 2 f, y = act(in) * gate of f; plain: x and y
// have f.
void activation_forward(config::Activation activation, bool gated, const float* x, float* y,
                        int64_t f, int64_t begin, int64_t end);
void activation_forward(config::Activation activation, bool gated, const Bf16* x, Bf16* y,
                        int64_t f, int64_t begin, int64_t end);

// d_x, in x's layout, from d_y.
void activation_backward(config::Activation activation, bool gated, const float* x,
                         const float* d_y, float* d_x, int64_t f, int64_t begin, int64_t end);
void activation_backward(config::Activation activation, bool gated, const Bf16* x, const Bf16* d_y,
                         Bf16* d_x, int64_t f, int64_t begin, int64_t end);

}  // namespace muonlab::ops
