// Directions, matrices and fits that experiments share.
#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/fit.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {
namespace {

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// U diag(values) Vᵀ with random U, V.
at::Tensor with_values(const std::vector<double>& values) {
  const auto n = static_cast<int64_t>(values.size());
  return random_orthogonal(n, 1, "u")
      .mm(at::diag(as_tensor(values)))
      .mm(random_orthogonal(n, 1, "v").t());
}

TEST(TheoryDirections, PolarSetsSingularValuesToOneAndDropsZeros) {
  const at::Tensor values = at::linalg_svdvals(polar(with_values({5, 1, 1e-3, 0})));
  EXPECT_LT(distance(values, as_tensor({1, 1, 1, 0})), 1e-12);
  EXPECT_EQ(polar(at::zeros({3, 3}, at::kDouble)).abs().max().item<double>(), 0);
}

TEST(TheoryDirections, SoftPolarShrinksSmallSingularValues) {
  const at::Tensor values = at::linalg_svdvals(soft_polar(with_values({3, 1, 0.1}), 1));
  EXPECT_LT(
      distance(values, as_tensor({3 / std::sqrt(10.0), std::sqrt(0.5), 0.1 / std::sqrt(1.01)})),
      1e-12);
}

TEST(TheoryDirections, NewtonSchulzTendsToThePolarFactor) {
  const at::Tensor g = with_values({1, 0.5, 0.2, 0.1}), exact = polar(g);
  EXPECT_LT(distance(newton_schulz(g, config::Orthogonalizer::exact), exact), 1e-2);
  EXPECT_LT(distance(newton_schulz(g, config::Orthogonalizer::polar_express, 8), exact), 1e-2);
  EXPECT_LT(distance(newton_schulz(g, config::Orthogonalizer::svd), exact), 1e-12);
  // Keller's iterations end between 0.68 and 1.13.
  const at::Tensor keller = at::linalg_svdvals(newton_schulz(g, config::Orthogonalizer::keller));
  EXPECT_GT(keller.min().item<double>(), 0.67);
  EXPECT_LT(keller.max().item<double>(), 1.21);
  const at::Tensor tall = at::cat({g, g}, 0);
  EXPECT_LT(distance(newton_schulz(tall, config::Orthogonalizer::exact), polar(tall)), 1e-2);
}

TEST(TheoryDirections, TheSignInABasisTurnsWithIt) {
  const at::Tensor left = random_orthogonal(5, 1, "l"), right = random_orthogonal(5, 1, "r");
  const at::Tensor g = normal_matrix(5, 5, 1, "g");
  EXPECT_LT(distance(sign_in_basis(left.mm(g).mm(right.t()), left, right),
                     left.mm(sign_of(g)).mm(right.t())),
            1e-12);
}

TEST(TheoryDirections, NewtonSolvesTheDampedSystem) {
  const at::Tensor a = normal_matrix(6, 6, 1, "a"), hessian = a.mm(a.t());
  const at::Tensor g = normal_matrix(4, 6, 1, "g"), step = newton(g, hessian, 0.3);
  EXPECT_LT(distance(step.mm(hessian + 0.3 * identity(6)), g), 1e-9);
}

TEST(TheoryMatrices, RandomOrthogonalIsOrthogonalAndAFunctionOfItsSeed) {
  const at::Tensor q = random_orthogonal(7, 4, "x");
  EXPECT_LT(distance(q.mm(q.t()), identity(7)), 1e-12);
  EXPECT_EQ(distance(q, random_orthogonal(7, 4, "x")), 0);
  EXPECT_GT(distance(q, random_orthogonal(7, 5, "x")), 0.1);
  EXPECT_GT(distance(q, random_orthogonal(7, 4, "y")), 0.1);
}

TEST(TheoryMatrices, NormalEntriesHaveMeanZeroAndVarianceOne) {
  const at::Tensor x = normal_matrix(200, 200, 1, "x");
  EXPECT_NEAR(x.mean().item<double>(), 0, 0.02);
  EXPECT_NEAR(x.square().mean().item<double>(), 1, 0.03);
}

TEST(TheoryMatrices, FrequenciesSumToOne) {
  for (const std::vector<double>& p : {power_law(100, 1.5), two_classes(10, 3, 0.8)}) {
    double sum = 0;
    for (double value : p) sum += value;
    EXPECT_NEAR(sum, 1, 1e-14);
  }
  EXPECT_NEAR(power_law(10, 2)[0] / power_law(10, 2)[2], 9, 1e-12);
}

TEST(TheoryMatrices, EulerRotationIsARotation) {
  const at::Tensor r = euler_rotation(1, 2, 3);
  EXPECT_LT(distance(r.mm(r.t()), identity(3)), 1e-14);
  EXPECT_NEAR(at::linalg_det(r).item<double>(), 1, 1e-14);
  EXPECT_LT(distance(repeated_block(r, 6).slice(0, 3).slice(1, 3), r), 1e-14);
}

TEST(TheoryFit, FindsAnExponentWithItsInterval) {
  std::vector<double> x, y, noisy;
  for (int i = 1; i <= 8; ++i) {
    x.push_back(i);
    y.push_back(3 * std::pow(i, -1.5));
    noisy.push_back(y.back() * (i % 2 == 0 ? 1.05 : 0.95));
  }
  EXPECT_NEAR(fit_power(x, y).slope, -1.5, 1e-12);
  EXPECT_NEAR(std::exp(fit_power(x, y).intercept), 3, 1e-12);
  const Fit fit = fit_power(x, noisy);
  EXPECT_TRUE(fit.slope_interval.holds(-1.5));
  EXPECT_GT(fit.slope_interval.high - fit.slope_interval.low, 0.01);
  // An exact value: residuals 1, -2, 1 over x = 0, 1, 2 give an error of sqrt(6 / 1 / 2).
  const Fit known = fit_line(std::vector<double>{0, 1, 2}, std::vector<double>{1, -2, 1});
  EXPECT_NEAR(known.slope, 0, 1e-15);
  EXPECT_NEAR(known.slope_interval.high, std::sqrt(3.0) * 12.7062047, 1e-6);
  EXPECT_TRUE(std::isnan(fit_line(std::vector<double>{1, 1}, std::vector<double>{1, 2}).slope));
}

}  // namespace
}  // namespace muonlab::theory
