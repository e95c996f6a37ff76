// SwiGLU (Shazeer, arXiv 2002.05202): silu(in) * gate with silu(a) = a sigmoid(a); a block takes
// whole rows.
#pragma once

#include <cmath>

#include "cuda/team.hpp"

namespace muonlab::cuda {

// exp overflows to infinity below -88, and the quotient is then 0, as it should be.
MUONLAB_KERNEL float sigmoid(float a) { return 1.0f / (1.0f + expf(-a)); }

MUONLAB_KERNEL float swiglu_element(float in, float gate) { return in * sigmoid(in) * gate; }

MUONLAB_KERNEL void swiglu_element_backward(float grad, float in, float gate, float& grad_in,
                                            float& grad_gate) {
  const float s = sigmoid(in);
  grad_in = grad * gate * s * (1.0f + in * (1.0f - s));
  grad_gate = grad * in * s;
}

// x [rows, 2 width] = [in | gate]; out [rows, width].
template <class Number>
struct SwiGluForward {
  const Number* x;
  Number* out;
  int64_t rows, width;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    for (int64_t row = block; row < rows; row += num_blocks) {
      const Number* in_row = x + row * 2 * width;
      team.each([&](int lane) {
        const int64_t stride = static_cast<int64_t>(team.lanes()) * kSize;
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
          const Pack<Number, kSize> in = load<kSize>(in_row + j);
          const Pack<Number, kSize> gate = load<kSize>(in_row + width + j);
          Pack<Number, kSize> result;
          for (int k = 0; k < kSize; ++k) {
            narrow(swiglu_element(widen(in.at[k]), widen(gate.at[k])), result.at[k]);
          }
          store(out + row * width + j, result);
        }
      });
    }
  }
};

// grad_out [rows, width]; x and grad_x [rows, 2 width].
template <class Number>
struct SwiGluBackward {
  const Number* grad_out;
  const Number* x;
  Number* grad_x;
  int64_t rows, width;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    for (int64_t row = block; row < rows; row += num_blocks) {
      const Number* in_row = x + row * 2 * width;
      Number* grad_row = grad_x + row * 2 * width;
      team.each([&](int lane) {
        const int64_t stride = static_cast<int64_t>(team.lanes()) * kSize;
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
          const Pack<Number, kSize> grad = load<kSize>(grad_out + row * width + j);
          const Pack<Number, kSize> in = load<kSize>(in_row + j);
          const Pack<Number, kSize> gate = load<kSize>(in_row + width + j);
          Pack<Number, kSize> grad_in, grad_gate;
          for (int k = 0; k < kSize; ++k) {
            float d_in, d_gate;
            swiglu_element_backward(widen(grad.at[k]), widen(in.at[k]), widen(gate.at[k]), d_in,
                                    d_gate);
            narrow(d_in, grad_in.at[k]);
            narrow(d_gate, grad_gate.at[k]);
          }
          store(grad_row + j, grad_in);
          store(grad_row + width + j, grad_gate);
        }
      });
    }
  }
};

}  // namespace muonlab::cuda
