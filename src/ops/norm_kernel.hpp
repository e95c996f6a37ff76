// Rows of the residual sum and RMSNorm.
#pragma once

#include <cstdint>

#include "ops/simd.hpp"

namespace muonlab::ops {

// For rows [begin, end) of width w: sum = residual + branch (both may be given, or branch null:
// then sum is not written and may be null), rstd = 1 / sqrt(mean(sum^2) + eps), normed = sum * rstd
// * gain.
void add_norm_forward(const float* residual, const float* branch, const float* gain, float* sum,
                      float* normed, float* rstd, int64_t w, float eps, int64_t begin, int64_t end);
void add_norm_forward(const float* residual, const Bf16* branch, const float* gain, float* sum,
                      Bf16* normed, float* rstd, int64_t w, float eps, int64_t begin, int64_t end);

// d_sum = gradient through the norm + d_later (may be null); d_branch, when not null, gets a copy
// of d_sum; d_gain [w] is added to, row after row. d_sum and d_later may be the same.
void add_norm_backward(const float* sum, const float* rstd, const float* gain,
                       const float* d_normed, const float* d_later, float* d_sum, float* d_branch,
                       float* d_gain, int64_t w, int64_t begin, int64_t end);
void add_norm_backward(const float* sum, const float* rstd, const float* gain, const Bf16* d_normed,
                       const float* d_later, float* d_sum, Bf16* d_branch, float* d_gain, int64_t w,
                       int64_t begin, int64_t end);

}  // namespace muonlab::ops
