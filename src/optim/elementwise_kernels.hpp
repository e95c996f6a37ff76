// SGD, SignSGD and Lion on a range of floats, each in one pass: values w and, where the rule has
// one, the momentum or average m, from gradients g. keep is 1 - lr decay. Ember on rows of a
// matrix.
#pragma once

#include <cstdint>

namespace muonlab::optim {

struct SgdFactors {
  float keep, lr, momentum;
  float direct, averaged;  // how much of g and of the new m makes the direction: Nesterov's is both
};
void sgd_range(SgdFactors factors, int64_t n, const float* g, float* w, float* m);
void sgd_range(SgdFactors factors, int64_t n, const float* g, float* w);  // without momentum

struct SignSgdFactors {
  float keep, lr, momentum, mix;  // mix: 1 - momentum
};
void signsgd_range(SignSgdFactors factors, int64_t n, const float* g, float* w, float* m);
void signsgd_range(SignSgdFactors factors, int64_t n, const float* g, float* w);

struct LionFactors {
  float keep, lr, beta1, mix1, beta2, mix2;  // mix: 1 - beta
};
void lion_range(LionFactors factors, int64_t n, const float* g, float* w, float* m);

// The sums of squares of each of the rows of g [rows, columns], and what the rows add to those of
// each column.
void sum_squares(int64_t rows, int64_t columns, const float* g, float* row_sums,
                 float* column_sums);
struct EmberFactors {
  float keep, lr, eps;
};
// w and g [columns] of a row; the root of an entry's second moment is the product of two.
void ember_row(EmberFactors factors, int64_t columns, float row_root, const float* column_roots,
               const float* g, float* w);

}  // namespace muonlab::optim
