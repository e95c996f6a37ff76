#include "ops/cross_entropy_kernel.hpp"

#include <cmath>

namespace muonlab::ops {
namespace {

constexpr int64_t kBlock = 2048;

template <class T>
MUONLAB_INLINE void rows(T* logits, const int64_t* targets, float* losses, float* scratch,
                         float scale, int64_t v, int64_t stride, int64_t ignored, int64_t begin,
                         int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    T* x = logits + row * stride;
    const int64_t target = targets[row];
    if (target == ignored) {
      losses[row] = 0;
      if (scale > 0) {
        for (int64_t i = 0; i < stride; ++i) store(x, i, 0.0f);
      }
      continue;
    }
    float largest = load(x, 0);
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < v; ++i) largest = load(x, i) > largest ? load(x, i) : largest;
    const float target_logit = load(x, target);
    // In blocks: a long sum in fp32 would lose digits.
    double total = 0;
    for (int64_t start = 0; start < v; start += kBlock) {
      const int64_t stop = v < start + kBlock ? v : start + kBlock;
      float sum = 0;
      if (scale > 0) {
#pragma omp simd reduction(+ : sum)
        for (int64_t i = start; i < stop; ++i) {
          const float e = exp_fast(load(x, i) - largest);
          scratch[i] = e;
          sum += e;
        }
      } else {
#pragma omp simd reduction(+ : sum)
        for (int64_t i = start; i < stop; ++i) sum += exp_fast(load(x, i) - largest);
      }
      total += sum;
    }
    if (scale > 0) {
      const float factor = static_cast<float>(scale / total);
#pragma omp simd
      for (int64_t i = 0; i < v; ++i) store(x, i, scratch[i] * factor);
      store(x, target, scratch[target] * factor - scale);
      for (int64_t i = v; i < stride; ++i) store(x, i, 0.0f);
    }
    losses[row] = static_cast<float>(std::log(total)) + (largest - target_logit);
  }
}

}  // namespace

MUONLAB_KERNEL void softmax_cross_entropy(float* logits, const int64_t* targets, float* losses,
                                          float* scratch, float scale, int64_t v, int64_t stride,
                                          int64_t ignored, int64_t begin, int64_t end) {
  rows(logits, targets, losses, scratch, scale, v, stride, ignored, begin, end);
}

MUONLAB_KERNEL void softmax_cross_entropy(Bf16* logits, const int64_t* targets, float* losses,
                                          float* scratch, float scale, int64_t v, int64_t stride,
                                          int64_t ignored, int64_t begin, int64_t end) {
  rows(logits, targets, losses, scratch, scale, v, stride, ignored, begin, end);
}

}  // namespace muonlab::ops
