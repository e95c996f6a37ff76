#include "ops/activation_kernel.hpp"

namespace muonlab::ops {
namespace {

struct ValueSlope {
  float value;
  float slope;
};

struct Silu {
  static MUONLAB_INLINE float value(float x) { return x * sigmoid_fast(x); }
  static MUONLAB_INLINE ValueSlope both(float x) {
    const float s = sigmoid_fast(x);
    return {x * s, s + x * s * (1.0f - s)};
  }
};

// Phi(x) by erfc of Abramowitz & Stegun 7.1.26, absolute error below 2e-7.
MUONLAB_INLINE float normal_cdf(float x) {
  const float a = x < 0 ? -x : x;
  const float z = a * 0.70710678118654752f;
  const float t = 1.0f / (1.0f + 0.3275911f * z);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const float upper = 0.5f * p * t * exp_fast(-z * z);  // 1 - Phi(|x|)
  return x < 0 ? upper : 1.0f - upper;
}

struct Gelu {
  static MUONLAB_INLINE float value(float x) { return x * normal_cdf(x); }
  static MUONLAB_INLINE ValueSlope both(float x) {
    const float phi = normal_cdf(x);
    const float density = 0.39894228040143268f * exp_fast(-0.5f * x * x);
    return {x * phi, phi + x * density};
  }
};

// x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3): the same as x (1 + tanh u) / 2.
struct GeluTanh {
  static MUONLAB_INLINE float value(float x) {
    return x * sigmoid_fast(1.5957691216057308f * x * (1.0f + 0.044715f * x * x));
  }
  static MUONLAB_INLINE ValueSlope both(float x) {
    const float square = x * x;
    const float s = sigmoid_fast(1.5957691216057308f * x * (1.0f + 0.044715f * square));
    const float inner = 1.5957691216057308f * (1.0f + 3.0f * 0.044715f * square);
    return {x * s, s + x * s * (1.0f - s) * inner};
  }
};

struct Relu2 {
  static MUONLAB_INLINE float value(float x) {
    const float positive = x > 0 ? x : 0.0f;
    return positive * positive;
  }
  static MUONLAB_INLINE ValueSlope both(float x) {
    const float positive = x > 0 ? x : 0.0f;
    return {positive * positive, 2.0f * positive};
  }
};

template <class Act, class T>
MUONLAB_INLINE void forward_rows(bool gated, const T* x, T* y, int64_t f, int64_t begin,
                                 int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    T* out = y + row * f;
    if (gated) {
      const T* in = x + row * 2 * f;
      const T* gate = in + f;
#pragma omp simd
      for (int64_t i = 0; i < f; ++i) store(out, i, Act::value(load(in, i)) * load(gate, i));
    } else {
      const T* in = x + row * f;
#pragma omp simd
      for (int64_t i = 0; i < f; ++i) store(out, i, Act::value(load(in, i)));
    }
  }
}

template <class Act, class T>
MUONLAB_INLINE void backward_rows(bool gated, const T* x, const T* d_y, T* d_x, int64_t f,
                                  int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const T* g = d_y + row * f;
    if (gated) {
      const T* in = x + row * 2 * f;
      const T* gate = in + f;
      T* d_in = d_x + row * 2 * f;
      T* d_gate = d_in + f;
#pragma omp simd
      for (int64_t i = 0; i < f; ++i) {
        const ValueSlope act = Act::both(load(in, i));
        const float upstream = load(g, i);
        store(d_in, i, upstream * load(gate, i) * act.slope);
        store(d_gate, i, upstream * act.value);
      }
    } else {
      const T* in = x + row * f;
      T* d_in = d_x + row * f;
#pragma omp simd
      for (int64_t i = 0; i < f; ++i) store(d_in, i, load(g, i) * Act::both(load(in, i)).slope);
    }
  }
}

template <class T>
MUONLAB_INLINE void forward(config::Activation activation, bool gated, const T* x, T* y, int64_t f,
                            int64_t begin, int64_t end) {
  switch (activation) {
    case config::Activation::silu: return forward_rows<Silu>(gated, x, y, f, begin, end);
    case config::Activation::gelu: return forward_rows<Gelu>(gated, x, y, f, begin, end);
    case config::Activation::relu2: return forward_rows<Relu2>(gated, x, y, f, begin, end);
    case config::Activation::gelu_tanh: return forward_rows<GeluTanh>(gated, x, y, f, begin, end);
  }
}

template <class T>
MUONLAB_INLINE void backward(config::Activation activation, bool gated, const T* x, const T* d_y,
                             T* d_x, int64_t f, int64_t begin, int64_t end) {
  switch (activation) {
    case config::Activation::silu: return backward_rows<Silu>(gated, x, d_y, d_x, f, begin, end);
    case config::Activation::gelu: return backward_rows<Gelu>(gated, x, d_y, d_x, f, begin, end);
    case config::Activation::relu2: return backward_rows<Relu2>(gated, x, d_y, d_x, f, begin, end);
    case config::Activation::gelu_tanh:
      return backward_rows<GeluTanh>(gated, x, d_y, d_x, f, begin, end);
  }
}

}  // namespace

MUONLAB_KERNEL void activation_forward(config::Activation activation, bool gated, const float* x,
                                       float* y, int64_t f, int64_t begin, int64_t end) {
  forward(activation, gated, x, y, f, begin, end);
}

MUONLAB_KERNEL void activation_forward(config::Activation activation, bool gated, const Bf16* x,
                                       Bf16* y, int64_t f, int64_t begin, int64_t end) {
  forward(activation, gated, x, y, f, begin, end);
}

MUONLAB_KERNEL void activation_backward(config::Activation activation, bool gated, const float* x,
                                        const float* d_y, float* d_x, int64_t f, int64_t begin,
                                        int64_t end) {
  backward(activation, gated, x, d_y, d_x, f, begin, end);
}

MUONLAB_KERNEL void activation_backward(config::Activation activation, bool gated, const Bf16* x,
                                        const Bf16* d_y, Bf16* d_x, int64_t f, int64_t begin,
                                        int64_t end) {
  backward(activation, gated, x, d_y, d_x, f, begin, end);
}

}  // namespace muonlab::ops
