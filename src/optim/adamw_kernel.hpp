// AdamW on a range of floats.
#pragma once

#include <cstdint>

namespace muonlab::optim {

struct AdamWFactors {
  float keep;             // 1 - lr decay
  float step_size;        // lr / (1 - beta1^t)
  float mix1, beta2;      // 1 - beta1
  float mix2;             // 1 - beta2
  float root_correction;  // 1 / sqrt(1 - beta2^t)
  float eps;
};

// Values w and moments m, v from gradients g.
void adamw_range(AdamWFactors factors, int64_t n, const float* g, float* w, float* m, float* v);

}  // namespace muonlab::optim
