#include "ops/accumulate_kernel.hpp"

namespace muonlab::ops {

MUONLAB_KERNEL void accumulate(float* y, const float* x, float scale, int64_t begin, int64_t end) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) y[i] += scale * x[i];
}

MUONLAB_KERNEL void accumulate(float* y, const Bf16* x, float scale, int64_t begin, int64_t end) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) y[i] += scale * load(x, i);
}

}  // namespace muonlab::ops
