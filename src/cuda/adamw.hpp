// AdamW with decoupled decay (arXiv 1711.05101) over a flat range, in the arithmetic of
// torch.optim.AdamW.
#pragma once

#include <cmath>

#include "cuda/status.hpp"
#include "cuda/team.hpp"

namespace muonlab::cuda {

// The numbers of a step, rounded to float once; on the device they are in memory, as a captured
// graph would freeze arguments.
struct AdamWFactors {
  float keep;       // 1 - lr decay
  float step_size;  // lr / (1 - beta1^t)
  float mix1;       // 1 - beta1
  float beta2;
  float mix2;             // 1 - beta2
  float root_correction;  // 1 / sqrt(1 - beta2^t)
  float eps;
};

// step counts from 1.
inline AdamWFactors adamw_factors(double lr, double beta1, double beta2, double eps, double decay,
                                  int64_t step) {
  const double t = static_cast<double>(step);
  return {.keep = static_cast<float>(1.0 - lr * decay),
          .step_size = static_cast<float>(lr / (1.0 - std::pow(beta1, t))),
          .mix1 = static_cast<float>(1.0 - beta1),
          .beta2 = static_cast<float>(beta2),
          .mix2 = static_cast<float>(1.0 - beta2),
          .root_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(beta2, t))),
          .eps = static_cast<float>(eps)};
}

MUONLAB_KERNEL void adamw_element(const AdamWFactors& f, float grad, float& value, float& exp_avg,
                                  float& exp_avg_sq) {
  exp_avg += f.mix1 * (grad - exp_avg);
  exp_avg_sq = f.beta2 * exp_avg_sq + f.mix2 * (grad * grad);
  const float root = sqrtf(exp_avg_sq) * f.root_correction + f.eps;
  const float direction = root > 0.0f ? exp_avg / root : 0.0f;  // eps 0 and no gradient yet: stay
  value = f.keep * value - f.step_size * direction;
}

// All arrays have `count` elements.
struct AdamW {
  static constexpr bool kPacked = true;
  float* values;
  const float* grads;
  float* exp_avg;
  float* exp_avg_sq;
  Bf16* shadow;  // gets the new values rounded to bf16; or null
  int64_t count;
  const AdamWFactors* factors;
  const Status* status;  // null: always go

  template <int kSize>
  MUONLAB_KERNEL void update(const AdamWFactors& now, int64_t i) const {
    const Pack<float, kSize> grad = load<kSize>(grads + i);
    Pack<float, kSize> value = load<kSize>(values + i);
    Pack<float, kSize> first = load<kSize>(exp_avg + i);
    Pack<float, kSize> second = load<kSize>(exp_avg_sq + i);
    Pack<Bf16, kSize> rounded;
    for (int k = 0; k < kSize; ++k) {
      adamw_element(now, grad.at[k], value.at[k], first.at[k], second.at[k]);
      narrow(value.at[k], rounded.at[k]);
    }
    store(values + i, value);
    store(exp_avg + i, first);
    store(exp_avg_sq + i, second);
    if (shadow != nullptr) store(shadow + i, rounded);
  }

  // kSize elements at a time; those left over at the end one by one.
  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    if (!may_update(status)) return;
    const AdamWFactors now = *factors;
    team.each([&](int lane) {
      const int64_t stride = num_blocks * team.lanes() * kSize;
      for (int64_t i = (block * team.lanes() + lane) * kSize; i < count; i += stride) {
        if (i + kSize <= count) {
          update<kSize>(now, i);
        } else {
          for (int64_t last = i; last < count; ++last) update<1>(now, last);
        }
      }
    });
  }
};

}  // namespace muonlab::cuda
