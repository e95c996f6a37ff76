// The matrix products behind the linear maps, with our kernel and without, against double.
#include "ops/gemm.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "ops/gemm_kernel.hpp"
#include "support/gradient_check.hpp"
#include "support/parameters.hpp"

namespace muonlab::ops {
namespace {

using support::normal;
using support::relative_error;

struct Shape {
  int64_t n, r, c;
};

// Tails of every tile: rows modulo 6, columns modulo 16 and 64, depth odd, one and above a block of
// 1024 units.
const std::vector<Shape> kShapes{{1, 1, 2},       {2, 3, 4},    {7, 5, 6},     {6, 64, 16},
                                 {13, 65, 18},    {48, 80, 30}, {64, 130, 62}, {97, 70, 200},
                                 {400, 66, 2100}, {3, 2306, 34}};

void check(const Shape& shape, at::ScalarType dtype) {
  SCOPED_TRACE(testing::Message() << shape.n << " " << shape.r << " " << shape.c << " "
                                  << at::toString(dtype));
  const double limit =
      dtype == at::kBFloat16 ? 5e-3 : 2e-6;  // of the largest number; bf16 rounds the result
  const at::Tensor x = normal({shape.n, shape.c}, 1, dtype),
                   w = normal({shape.r, shape.c}, 2, dtype);
  const at::Tensor d_y = normal({shape.n, shape.r}, 3, dtype);
  const at::Tensor wide_x = x.to(at::kDouble), wide_w = w.to(at::kDouble),
                   wide_d_y = d_y.to(at::kDouble);
  EXPECT_LE(
      relative_error(multiply_transposed(tensor::Path::cpu, x, w), at::mm(wide_x, wide_w.t())),
      limit);
  EXPECT_LE(relative_error(multiply_natural(tensor::Path::cpu, d_y, w), at::mm(wide_d_y, wide_w)),
            limit);
  const int64_t half = shape.r / 2;
  const at::Tensor before = normal({shape.r, shape.c}, 4);
  std::vector<at::Tensor> sums{before.narrow(0, 0, half).clone(),
                               before.narrow(0, half, shape.r - half).clone()};
  add_weight_gradient(tensor::Path::cpu, sums, d_y, x);
  EXPECT_LE(relative_error(at::cat(sums), before.to(at::kDouble) + at::mm(wide_d_y.t(), wide_x)),
            limit);
}

TEST(Gemm, EqualsDouble) {
  for (const Shape& shape : kShapes) {
    check(shape, at::kFloat);
    check(shape, at::kBFloat16);
  }
}

TEST(Gemm, OddRowsOfBf16) {
  check({5, 7, 9}, at::kBFloat16);
  check({1, 3, 1}, at::kBFloat16);
}

TEST(Gemm, EqualsDoubleWithoutOurKernel) {
  allow_gemm_kernel(false);
  for (const Shape& shape : kShapes) {
    check(shape, at::kFloat);
    check(shape, at::kBFloat16);
  }
  allow_gemm_kernel(true);
}

TEST(Gemm, OurKernelSumsAlikeWithAnyThreads) {
  if (!has_gemm_kernel(static_cast<const float*>(nullptr)))
    GTEST_SKIP() << "not this machine's kernel";
  const int before = at::get_num_threads();
  const at::Tensor x = normal({700, 130}, 1), w = normal({90, 130}, 2), d_y = normal({700, 90}, 3);
  std::vector<at::Tensor> results;
  for (const int threads : {1, 2, 5}) {
    at::set_num_threads(threads);
    std::vector<at::Tensor> sum{at::zeros({90, 130})};
    add_weight_gradient(tensor::Path::cpu, sum, d_y, x);
    results.push_back(
        at::cat({multiply_transposed(tensor::Path::cpu, x, w).reshape(-1),
                 multiply_natural(tensor::Path::cpu, d_y, w).reshape(-1), sum[0].reshape(-1)}));
  }
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(results[0], results[1]));
  EXPECT_TRUE(at::equal(results[0], results[2]));
}

}  // namespace
}  // namespace muonlab::ops
