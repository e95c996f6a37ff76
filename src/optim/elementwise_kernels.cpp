#include "optim/elementwise_kernels.hpp"

#include "optim/vector_clones.hpp"

namespace muonlab::optim {
namespace {

inline float sign_of(float x) { return static_cast<float>((x > 0.0f) - (x < 0.0f)); }

MUONLAB_VECTOR_CLONES
void sgd(const SgdFactors f, int64_t n, const float* __restrict g, float* __restrict w,
         float* __restrict m) {
  for (int64_t i = 0; i < n; ++i) {
    m[i] = f.momentum * m[i] + g[i];
    w[i] = f.keep * w[i] - f.lr * (f.direct * g[i] + f.averaged * m[i]);
  }
}

MUONLAB_VECTOR_CLONES
void sgd(const SgdFactors f, int64_t n, const float* __restrict g, float* __restrict w) {
  for (int64_t i = 0; i < n; ++i) w[i] = f.keep * w[i] - f.lr * g[i];
}

MUONLAB_VECTOR_CLONES
void signsgd(const SignSgdFactors f, int64_t n, const float* __restrict g, float* __restrict w,
             float* __restrict m) {
  for (int64_t i = 0; i < n; ++i) {
    m[i] = f.momentum * m[i] + f.mix * g[i];
    w[i] = f.keep * w[i] - f.lr * sign_of(m[i]);
  }
}

MUONLAB_VECTOR_CLONES
void signsgd(const SignSgdFactors f, int64_t n, const float* __restrict g, float* __restrict w) {
  for (int64_t i = 0; i < n; ++i) w[i] = f.keep * w[i] - f.lr * sign_of(g[i]);
}

MUONLAB_VECTOR_CLONES
void lion(const LionFactors f, int64_t n, const float* __restrict g, float* __restrict w,
          float* __restrict m) {
  for (int64_t i = 0; i < n; ++i) {
    const float direction = sign_of(f.beta1 * m[i] + f.mix1 * g[i]);
    m[i] = f.beta2 * m[i] + f.mix2 * g[i];
    w[i] = f.keep * w[i] - f.lr * direction;
  }
}

MUONLAB_VECTOR_CLONES
void row_squares(int64_t columns, const float* __restrict g, float* __restrict row_sum,
                 float* __restrict column_sums) {
  constexpr int64_t kLanes = 16;  // sums of their own: a single one would have to be added in order
  float lanes[kLanes] = {};
  int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) {
      const float square = g[c + k] * g[c + k];
      lanes[k] += square;
      column_sums[c + k] += square;
    }
  }
  float sum = 0.0f;
  for (; c < columns; ++c) {
    sum += g[c] * g[c];
    column_sums[c] += g[c] * g[c];
  }
  for (const float lane : lanes) sum += lane;
  *row_sum = sum;
}

MUONLAB_VECTOR_CLONES
void ember(const EmberFactors f, int64_t columns, float row_root,
           const float* __restrict column_roots, const float* __restrict g, float* __restrict w) {
  for (int64_t c = 0; c < columns; ++c) {
    const float root = row_root * column_roots[c] + f.eps;
    const float direction = root > 0.0f ? g[c] / root : 0.0f;  // eps 0 and no gradient yet: stay
    w[c] = f.keep * w[c] - f.lr * direction;
  }
}

}  // namespace

void sum_squares(int64_t rows, int64_t columns, const float* g, float* row_sums,
                 float* column_sums) {
  for (int64_t r = 0; r < rows; ++r)
    row_squares(columns, g + r * columns, row_sums + r, column_sums);
}

void ember_row(EmberFactors factors, int64_t columns, float row_root, const float* column_roots,
               const float* g, float* w) {
  ember(factors, columns, row_root, column_roots, g, w);
}

void sgd_range(SgdFactors factors, int64_t n, const float* g, float* w, float* m) {
  sgd(factors, n, g, w, m);
}

void sgd_range(SgdFactors factors, int64_t n, const float* g, float* w) { sgd(factors, n, g, w); }

void signsgd_range(SignSgdFactors factors, int64_t n, const float* g, float* w, float* m) {
  signsgd(factors, n, g, w, m);
}

void signsgd_range(SignSgdFactors factors, int64_t n, const float* g, float* w) {
  signsgd(factors, n, g, w);
}

void lion_range(LionFactors factors, int64_t n, const float* g, float* w, float* m) {
  lion(factors, n, g, w, m);
}

}  // namespace muonlab::optim
