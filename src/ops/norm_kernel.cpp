#include "ops/norm_kernel.hpp"

#include <cmath>

namespace muonlab::ops {
namespace {

template <class T>
MUONLAB_INLINE void forward_rows(const float* residual, const T* branch, const float* gain,
                                 float* sum, T* normed, float* rstd, int64_t w, float eps,
                                 int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* x = residual + row * w;
    float square = 0;
    if (branch != nullptr) {
      const T* y = branch + row * w;
      float* z = sum + row * w;
#pragma omp simd reduction(+ : square)
      for (int64_t i = 0; i < w; ++i) {
        const float value = x[i] + load(y, i);
        z[i] = value;
        square += value * value;
      }
      x = z;
    } else {
#pragma omp simd reduction(+ : square)
      for (int64_t i = 0; i < w; ++i) square += x[i] * x[i];
    }
    const float scale = 1.0f / std::sqrt(square / static_cast<float>(w) + eps);
    rstd[row] = scale;
    T* out = normed + row * w;
#pragma omp simd
    for (int64_t i = 0; i < w; ++i) store(out, i, x[i] * scale * gain[i]);
  }
}

template <class T>
MUONLAB_INLINE void backward_rows(const float* sum, const float* rstd, const float* gain,
                                  const T* d_normed, const float* d_later, float* d_sum,
                                  T* d_branch, float* d_gain, int64_t w, int64_t begin,
                                  int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* x = sum + row * w;
    const T* dy = d_normed + row * w;
    float* dx = d_sum + row * w;
    const float scale = rstd[row];
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < w; ++i) {
      const float g = load(dy, i);
      const float unit = x[i] * scale;
      d_gain[i] += g * unit;
      dot += g * gain[i] * unit;
    }
    const float mean = dot / static_cast<float>(w);
    if (d_later != nullptr) {
      const float* later = d_later + row * w;
#pragma omp simd
      for (int64_t i = 0; i < w; ++i)
        dx[i] = later[i] + scale * (load(dy, i) * gain[i] - x[i] * scale * mean);
    } else {
#pragma omp simd
      for (int64_t i = 0; i < w; ++i) dx[i] = scale * (load(dy, i) * gain[i] - x[i] * scale * mean);
    }
    if (d_branch != nullptr) {
      T* copy = d_branch + row * w;
#pragma omp simd
      for (int64_t i = 0; i < w; ++i) store(copy, i, dx[i]);
    }
  }
}

}  // namespace

MUONLAB_KERNEL void add_norm_forward(const float* residual, const float* branch, const float* gain,
                                     float* sum, float* normed, float* rstd, int64_t w, float eps,
                                     int64_t begin, int64_t end) {
  forward_rows(residual, branch, gain, sum, normed, rstd, w, eps, begin, end);
}

MUONLAB_KERNEL void add_norm_forward(const float* residual, const Bf16* branch, const float* gain,
                                     float* sum, Bf16* normed, float* rstd, int64_t w, float eps,
                                     int64_t begin, int64_t end) {
  forward_rows(residual, branch, gain, sum, normed, rstd, w, eps, begin, end);
}

MUONLAB_KERNEL void add_norm_backward(const float* sum, const float* rstd, const float* gain,
                                      const float* d_normed, const float* d_later, float* d_sum,
                                      float* d_branch, float* d_gain, int64_t w, int64_t begin,
                                      int64_t end) {
  backward_rows(sum, rstd, gain, d_normed, d_later, d_sum, d_branch, d_gain, w, begin, end);
}

MUONLAB_KERNEL void add_norm_backward(const float* sum, const float* rstd, const float* gain,
                                      const Bf16* d_normed, const float* d_later, float* d_sum,
                                      Bf16* d_branch, float* d_gain, int64_t w, int64_t begin,
                                      int64_t end) {
  backward_rows(sum, rstd, gain, d_normed, d_later, d_sum, d_branch, d_gain, w, begin, end);
}

}  // namespace muonlab::ops
