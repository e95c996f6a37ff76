// RMSNorm (Zhang & Sennrich, arXiv 1910.07467), with the residual sum before it; a block takes
// whole rows.
//
// Forward, for a row x of w elements:   r = 1 / sqrt(mean(x²) + eps),   y = x r gain
// Backward, with g = dy gain:           dx = r g - x r³ sum(g x) / w,   dgain = sum over rows of dy
// x r
#pragma once

#include <cmath>

#include "cuda/team.hpp"

namespace muonlab::cuda {

MUONLAB_KERNEL float inverse_rms(float sum_of_squares, int64_t width, float eps) {
  return 1.0f / sqrtf(sum_of_squares / static_cast<float>(width) + eps);
}

// x = residual + branch; one of the two may be null. All arrays are [rows, width].
template <class Branch, class Out>
struct RmsNormForward {
  static constexpr bool kPacked = true;
  const float* residual;
  const Branch* branch;
  const float* gain;  // [width], or null for one
  float* sum;         // gets x; or null
  Out* normed;
  float* inv_rms;  // [rows]
  int64_t rows, width;
  float eps;

  template <int kSize>
  MUONLAB_KERNEL Pack<float, kSize> input(int64_t i) const {
    Pack<float, kSize> x;
    if (residual != nullptr) {
      x = load<kSize>(residual + i);
    } else {
      for (int k = 0; k < kSize; ++k) x.at[k] = 0.0f;
    }
    if (branch != nullptr) {
      const Pack<Branch, kSize> more = load<kSize>(branch + i);
      for (int k = 0; k < kSize; ++k) x.at[k] += widen(more.at[k]);
    }
    return x;
  }

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    const int64_t stride = static_cast<int64_t>(team.lanes()) * kSize;
    for (int64_t row = block; row < rows; row += num_blocks) {
      const int64_t start = row * width;
      auto squares = team.make_register();
      team.each([&](int lane) {
        float total = 0.0f;
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
          const Pack<float, kSize> x = input<kSize>(start + j);
          for (int k = 0; k < kSize; ++k) total += x.at[k] * x.at[k];
          if (sum != nullptr) store(sum + start + j, x);
        }
        squares[lane] = total;
      });
      const float inverse = inverse_rms(team.sum(squares), width, eps);
      team.each([&](int lane) {
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
          const Pack<float, kSize> x = input<kSize>(start + j);
          Pack<Out, kSize> y;
          for (int k = 0; k < kSize; ++k) {
            const float normed_x = x.at[k] * inverse;
            narrow(gain != nullptr ? normed_x * gain[j + k] : normed_x, y.at[k]);
          }
          store(normed + start + j, y);
        }
        if (lane == 0) inv_rms[row] = inverse;
      });
    }
  }
};

// X: type of the forward's x and of its gradient; Out: type of the forward's result.
template <class X, class Out>
struct RmsNormBackward {
  static constexpr bool kPacked = true;
  const Out* grad_normed;      // [rows, width]
  const float* grad_residual;  // [rows, width], added to grad_x; or null
  const X* x;
  const float* inv_rms;  // [rows]
  const float* gain;     // [width], or null for one
  X* grad_x;
  Bf16* rounded;  // gets grad_x rounded to bf16; or null
  // [num_blocks, width]: each block's sum of the gain's gradient; null when there is no gain
  float* partial;
  // the team's scratch holds `width` floats: the sum is kept there, and copied at the end
  bool in_scratch;
  int64_t rows, width;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    const int64_t stride = static_cast<int64_t>(team.lanes()) * kSize;
    // A column belongs to one lane, so that the lanes need not wait for each other.
    float* own = partial == nullptr ? nullptr : partial + block * width;
    float* sums = in_scratch && own != nullptr ? team.scratch() : own;
    if (sums != nullptr) {
      team.each([&](int lane) {
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
          for (int k = 0; k < kSize; ++k) sums[j + k] = 0.0f;
        }
      });
    }
    for (int64_t row = block; row < rows; row += num_blocks) {
      const int64_t start = row * width;
      const float inverse = inv_rms[row];
      auto products = team.make_register();
      team.each([&](int lane) {
        float total = 0.0f;
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
          const Pack<Out, kSize> dy = load<kSize>(grad_normed + start + j);
          const Pack<X, kSize> value = load<kSize>(x + start + j);
          for (int k = 0; k < kSize; ++k) {
            const float g = gain != nullptr ? widen(dy.at[k]) * gain[j + k] : widen(dy.at[k]);
            total += g * widen(value.at[k]);
          }
        }
        products[lane] = total;
      });
      const float pull =
          team.sum(products) * inverse * inverse * inverse / static_cast<float>(width);
      team.each([&](int lane) {
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
          const Pack<Out, kSize> dy = load<kSize>(grad_normed + start + j);
          const Pack<X, kSize> value = load<kSize>(x + start + j);
          Pack<float, kSize> above;
          if (grad_residual != nullptr) above = load<kSize>(grad_residual + start + j);
          Pack<X, kSize> dx;
          Pack<Bf16, kSize> short_dx;
          for (int k = 0; k < kSize; ++k) {
            const float input = widen(value.at[k]), slope = widen(dy.at[k]);
            const float g = gain != nullptr ? slope * gain[j + k] : slope;
            const float through = inverse * g - input * pull;
            const float total = grad_residual != nullptr ? above.at[k] + through : through;
            narrow(total, dx.at[k]);
            narrow(total, short_dx.at[k]);
            if (sums != nullptr) sums[j + k] += slope * input * inverse;
          }
          store(grad_x + start + j, dx);
          if (rounded != nullptr) store(rounded + start + j, short_dx);
        }
      });
    }
    if (sums != own) {
      team.each([&](int lane) {
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
          for (int k = 0; k < kSize; ++k) own[j + k] = sums[j + k];
        }
      });
    }
  }
};

// total[j] += sum over i of partial[i, j], for `width` columns. A block takes kWarp columns at a
// time and a warp every num_warps-th i; then the warps' sums are added in their order. The team's
// scratch holds a float for each lane.
struct ColumnSums {
  static constexpr bool kPacked = false;
  const float* partial;  // [num_partials, stride]
  float* total;          // [width]
  int64_t num_partials, width, stride;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    static_assert(kSize == 1);
    float* sums = team.scratch();
    const int num_warps = team.lanes() / kWarp;
    for (int64_t first = block * kWarp; first < width; first += num_blocks * kWarp) {
      team.each([&](int lane) {
        const int64_t j = first + lane % kWarp;
        float sum = 0.0f;
        if (j < width) {
          for (int64_t i = lane / kWarp; i < num_partials; i += num_warps)
            sum += partial[i * stride + j];
        }
        sums[lane] = sum;
      });
      team.barrier();
      team.each([&](int lane) {
        if (lane >= kWarp || first + lane >= width) return;
        float sum = sums[lane];
        for (int warp = 1; warp < num_warps; ++warp) sum += sums[warp * kWarp + lane];
        total[first + lane] += sum;
      });
      team.barrier();
    }
  }
};

}  // namespace muonlab::cuda
