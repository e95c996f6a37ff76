// Sums of gradients.
#pragma once

#include <cstdint>

#include "ops/simd.hpp"

namespace muonlab::ops {

// y[i] += scale * x[i] for i in [begin, end).
void accumulate(float* y, const float* x, float scale, int64_t begin, int64_t end);
void accumulate(float* y, const Bf16* x, float scale, int64_t begin, int64_t end);

}  // namespace muonlab::ops
