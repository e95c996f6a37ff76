#include "ops/rope_kernel.hpp"

#include <cmath>

namespace muonlab::ops {
namespace {

template <class T>
MUONLAB_INLINE float inverse_rms(const T* x, int64_t d, float eps) {
  float square = 0;
#pragma omp simd reduction(+ : square)
  for (int64_t i = 0; i < d; ++i) square += load(x, i) * load(x, i);
  return 1.0f / std::sqrt(square / static_cast<float>(d) + eps);
}

template <class T>
MUONLAB_INLINE void forward_head(const T* in, T* out, const float* cosine, const float* sine,
                                 bool has_norm, float eps, const float* gain, int64_t half) {
  const float scale = has_norm ? inverse_rms(in, 2 * half, eps) : 1.0f;
  if (gain != nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < half; ++i) {
      const float x1 = load(in, i) * scale * gain[i],
                  x2 = load(in, i + half) * scale * gain[i + half];
      store(out, i, x1 * cosine[i] - x2 * sine[i]);
      store(out, i + half, x2 * cosine[i] + x1 * sine[i]);
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < half; ++i) {
      const float x1 = load(in, i) * scale, x2 = load(in, i + half) * scale;
      store(out, i, x1 * cosine[i] - x2 * sine[i]);
      store(out, i + half, x2 * cosine[i] + x1 * sine[i]);
    }
  }
}

template <class T>
MUONLAB_INLINE void backward_head(const T* in, T* d, const float* cosine, const float* sine,
                                  bool has_norm, float eps, const float* gain, float* d_gain,
                                  float* upstream, int64_t half) {
  if (!has_norm) {
#pragma omp simd
    for (int64_t i = 0; i < half; ++i) {
      const float y1 = load(d, i), y2 = load(d, i + half);
      store(d, i, y1 * cosine[i] + y2 * sine[i]);
      store(d, i + half, y2 * cosine[i] - y1 * sine[i]);
    }
    return;
  }
  const float scale = inverse_rms(in, 2 * half, eps);
  // upstream becomes the gradient with respect to the normed head
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const float y1 = load(d, i), y2 = load(d, i + half);
    upstream[i] = y1 * cosine[i] + y2 * sine[i];
    upstream[i + half] = y2 * cosine[i] - y1 * sine[i];
  }
  if (gain != nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < 2 * half; ++i) {
      d_gain[i] += upstream[i] * load(in, i) * scale;
      upstream[i] *= gain[i];
    }
  }
  float dot = 0;
#pragma omp simd reduction(+ : dot)
  for (int64_t i = 0; i < 2 * half; ++i) dot += upstream[i] * load(in, i) * scale;
  const float mean = dot / static_cast<float>(2 * half);
#pragma omp simd
  for (int64_t i = 0; i < 2 * half; ++i)
    store(d, i, scale * (upstream[i] - load(in, i) * scale * mean));
}

template <class T>
MUONLAB_INLINE void forward_rows(const RopeRows& rows, const T* in, T* out, int64_t begin,
                                 int64_t end) {
  const Heads& heads = rows.heads;
  const int64_t half = heads.head_dim / 2, width = heads.packed_width();
  for (int64_t row = begin; row < end; ++row) {
    const int64_t position = row % rows.num_positions;
    const float* cosine = rows.cosine + position * half;
    const float* sine = rows.sine + position * half;
    const T* x = in + row * width;
    T* y = out + row * width;
    for (int64_t head = 0; head < heads.queries + heads.keys; ++head) {
      const float* gain = head < heads.queries ? rows.query_gain : rows.key_gain;
      const int64_t at = head * heads.head_dim;
      forward_head(x + at, y + at, cosine, sine, rows.has_norm, rows.eps, gain, half);
    }
    if (x != y) {
      for (int64_t i = width - heads.key_width(); i < width; ++i) y[i] = x[i];
    }
  }
}

template <class T>
MUONLAB_INLINE void backward_rows(const RopeRows& rows, const T* in, T* d, float* d_query_gain,
                                  float* d_key_gain, float* scratch, int64_t begin, int64_t end) {
  const Heads& heads = rows.heads;
  const int64_t half = heads.head_dim / 2, width = heads.packed_width();
  for (int64_t row = begin; row < end; ++row) {
    const int64_t position = row % rows.num_positions;
    const float* cosine = rows.cosine + position * half;
    const float* sine = rows.sine + position * half;
    for (int64_t head = 0; head < heads.queries + heads.keys; ++head) {
      const bool is_query = head < heads.queries;
      const int64_t at = row * width + head * heads.head_dim;
      backward_head(in + at, d + at, cosine, sine, rows.has_norm, rows.eps,
                    is_query ? rows.query_gain : rows.key_gain,
                    is_query ? d_query_gain : d_key_gain, scratch, half);
    }
  }
}

}  // namespace

MUONLAB_KERNEL void rope_forward(const RopeRows& rows, const float* in, float* out, int64_t begin,
                                 int64_t end) {
  forward_rows(rows, in, out, begin, end);
}

MUONLAB_KERNEL void rope_forward(const RopeRows& rows, const Bf16* in, Bf16* out, int64_t begin,
                                 int64_t end) {
  forward_rows(rows, in, out, begin, end);
}

MUONLAB_KERNEL void rope_backward(const RopeRows& rows, const float* in, float* d,
                                  float* d_query_gain, float* d_key_gain, float* scratch,
                                  int64_t begin, int64_t end) {
  backward_rows(rows, in, d, d_query_gain, d_key_gain, scratch, begin, end);
}

MUONLAB_KERNEL void rope_backward(const RopeRows& rows, const Bf16* in, Bf16* d,
                                  float* d_query_gain, float* d_key_gain, float* scratch,
                                  int64_t begin, int64_t end) {
  backward_rows(rows, in, d, d_query_gain, d_key_gain, scratch, begin, end);
}

}  // namespace muonlab::ops
