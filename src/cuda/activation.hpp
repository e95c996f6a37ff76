// The feed-forward layer's activation, with and without a gate (SwiGLU and its kin: Shazeer, arXiv
// 2002.05202); a block takes whole rows.
#pragma once

#include <cmath>

#include "cuda/team.hpp"

namespace muonlab::cuda {

// As config::Activation counts them.
constexpr int kSilu = 0, kGelu = 1, kRelu2 = 2, kGeluTanh = 3;

struct ValueSlope {
  float value, slope;
};

// exp overflows to infinity below -88, and the quotient is then 0, as it should be.
MUONLAB_KERNEL float sigmoid(float a) { return 1.0f / (1.0f + expf(-a)); }

// act(a) and act'(a). silu: a sigmoid(a); gelu: a Phi(a); relu2: max(a, 0)²; gelu_tanh: a sigmoid(2
// u), u = sqrt(2 / pi) (a + 0.044715 a³).
MUONLAB_KERNEL ValueSlope activation(int kind, float a) {
  if (kind == kSilu) {
    const float s = sigmoid(a);
    return {a * s, s * (1.0f + a * (1.0f - s))};
  }
  if (kind == kGelu) {
    const float phi = 0.5f * (1.0f + erff(a * 0.70710678118654752f));
    const float density = 0.3989422804014327f * expf(-0.5f * a * a);
    return {a * phi, phi + a * density};
  }
  if (kind == kGeluTanh) {
    const float square = a * a;
    const float s = sigmoid(1.5957691216057308f * a * (1.0f + 0.044715f * square));
    const float inner = 1.5957691216057308f * (1.0f + 0.134145f * square);
    return {a * s, s + a * s * (1.0f - s) * inner};
  }
  const float positive = a > 0.0f ? a : 0.0f;
  return {positive * positive, 2.0f * positive};
}

// Gated: x [rows, 2 width] = [in | gate] -> act(in) gate. Plain: x [rows, width] -> act(x).
template <class Number>
struct ActivationForward {
  static constexpr bool kPacked = true;
  const Number* x;
  Number* out;  // [rows, width]
  int64_t rows, width;
  int kind;
  bool gated;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    for (int64_t row = block; row < rows; row += num_blocks) {
      const Number* in_row = x + row * (gated ? 2 : 1) * width;
      team.each([&](int lane) {
        const int64_t stride = static_cast<int64_t>(team.lanes()) * kSize;
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
          const Pack<Number, kSize> in = load<kSize>(in_row + j);
          Pack<Number, kSize> gate{};
          if (gated) gate = load<kSize>(in_row + width + j);
          Pack<Number, kSize> result;
          for (int k = 0; k < kSize; ++k) {
            const float active = activation(kind, widen(in.at[k])).value;
            narrow(gated ? active * widen(gate.at[k]) : active, result.at[k]);
          }
          store(out + row * width + j, result);
        }
      });
    }
  }
};

// grad_out [rows, width]; x and grad_x as the forward's x.
template <class Number>
struct ActivationBackward {
  static constexpr bool kPacked = true;
  const Number* grad_out;
  const Number* x;
  Number* grad_x;
  int64_t rows, width;
  int kind;
  bool gated;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    for (int64_t row = block; row < rows; row += num_blocks) {
      const int64_t start = row * (gated ? 2 : 1) * width;
      team.each([&](int lane) {
        const int64_t stride = static_cast<int64_t>(team.lanes()) * kSize;
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
          const Pack<Number, kSize> grad = load<kSize>(grad_out + row * width + j);
          const Pack<Number, kSize> in = load<kSize>(x + start + j);
          Pack<Number, kSize> gate{};
          if (gated) gate = load<kSize>(x + start + width + j);
          Pack<Number, kSize> grad_in{}, grad_gate{};
          for (int k = 0; k < kSize; ++k) {
            const float d = widen(grad.at[k]);
            const ValueSlope at_in = activation(kind, widen(in.at[k]));
            narrow(gated ? d * widen(gate.at[k]) * at_in.slope : d * at_in.slope, grad_in.at[k]);
            if (gated) narrow(d * at_in.value, grad_gate.at[k]);
          }
          store(grad_x + start + j, grad_in);
          if (gated) store(grad_x + start + width + j, grad_gate);
        }
      });
    }
  }
};

}  // namespace muonlab::cuda
