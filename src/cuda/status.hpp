// The step's status as kernels use it: reduced from the gradients, and asked before every update.
#pragma once

#include <cmath>

#include "cuda/team.hpp"
#include "muonlab/tensor/step_status.hpp"

namespace muonlab::cuda {

using Status = tensor::StepStatus;

// Kernels of an update start with this: where the flag is down they leave everything as it is.
MUONLAB_KERNEL bool may_update(const Status* status) {
  return status == nullptr || status->finite != 0.0;
}

// partial[block] = the block's share of the sum of x², in double. The shares depend on the number
// of blocks alone.
struct SquareSums {
  static constexpr bool kPacked = true;
  const float* x;
  double* partial;  // [num_blocks]
  int64_t count;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    auto squares = team.template make_register<double>();
    team.each([&](int lane) {
      double total = 0.0;
      const int64_t stride = num_blocks * team.lanes() * kSize;
      for (int64_t i = (block * team.lanes() + lane) * kSize; i < count; i += stride) {
        if (i + kSize <= count) {
          const Pack<float, kSize> values = load<kSize>(x + i);
          for (int k = 0; k < kSize; ++k)
            total += static_cast<double>(values.at[k]) * static_cast<double>(values.at[k]);
        } else {
          for (int64_t last = i; last < count; ++last)
            total += static_cast<double>(x[last]) * static_cast<double>(x[last]);
        }
      }
      squares[lane] = total;
    });
    const double sum = team.sum(squares);
    team.each([&](int lane) {
      if (lane == 0) partial[block] = sum;
    });
  }
};

// The norm from SquareSums' shares, the flag, and the factor of clipping (clip 0: none). One block.
struct CloseStatus {
  static constexpr bool kPacked = false;
  const double* partial;  // [num_partials]
  int64_t num_partials;
  double clip;
  Status* status;  // its loss is there already

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t, int64_t) const {
    auto shares = team.template make_register<double>();
    team.each([&](int lane) {
      double total = 0.0;
      for (int64_t i = lane; i < num_partials; i += team.lanes()) total += partial[i];
      shares[lane] = total;
    });
    const double norm = sqrt(team.sum(shares));
    team.each([&](int lane) {
      if (lane != 0) return;
      constexpr double kLargest = 1.7976931348623157e308;
      const bool finite = fabs(norm) <= kLargest && fabs(status->loss) <= kLargest;
      status->grad_norm = norm;
      status->clip_factor = finite && clip > 0.0 && norm > clip ? clip / norm : 1.0;
      status->finite = finite ? 1.0 : 0.0;
    });
  }
};

// x *= clip_factor, where it is not 1 and the flag is up.
struct ClipGradients {
  static constexpr bool kPacked = true;
  float* x;
  int64_t count;
  const Status* status;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    if (!may_update(status) || status->clip_factor == 1.0) return;
    const auto factor = static_cast<float>(status->clip_factor);
    team.each([&](int lane) {
      const int64_t stride = num_blocks * team.lanes() * kSize;
      for (int64_t i = (block * team.lanes() + lane) * kSize; i < count; i += stride) {
        if (i + kSize <= count) {
          Pack<float, kSize> values = load<kSize>(x + i);
          for (int k = 0; k < kSize; ++k) values.at[k] *= factor;
          store(x + i, values);
        } else {
          for (int64_t last = i; last < count; ++last) x[last] *= factor;
        }
      }
    });
  }
};

}  // namespace muonlab::cuda
