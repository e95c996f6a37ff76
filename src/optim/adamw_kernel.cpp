#include "optim/adamw_kernel.hpp"

#include "optim/vector_clones.hpp"

namespace muonlab::optim {
namespace {

MUONLAB_VECTOR_CLONES
void update(const AdamWFactors f, int64_t n, const float* __restrict g, float* __restrict w,
            float* __restrict m, float* __restrict v) {
  for (int64_t i = 0; i < n; ++i) {
    m[i] = m[i] + f.mix1 * (g[i] - m[i]);
    v[i] = f.beta2 * v[i] + f.mix2 * (g[i] * g[i]);
    const float root = __builtin_sqrtf(v[i]) * f.root_correction + f.eps;
    const float direction = root > 0.0f ? m[i] / root : 0.0f;  // eps 0 and no gradient yet: stay
    w[i] = f.keep * w[i] - f.step_size * direction;
  }
}

}  // namespace

void adamw_range(AdamWFactors factors, int64_t n, const float* g, float* w, float* m, float* v) {
  update(factors, n, g, w, m, v);
}

}  // namespace muonlab::optim
