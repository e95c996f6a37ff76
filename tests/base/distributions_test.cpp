#include "muonlab/base/distributions.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "support/golden_numbers.hpp"

namespace muonlab::base {
namespace {

using support::golden_line;
using support::golden_numbers;

double relative(double value, double expected) {
  return expected == 0.0 ? std::abs(value) : std::abs(value - expected) / std::abs(expected);
}

TEST(Distributions, StudentsTIsScipys) {
  const auto& cases = golden_numbers().at("t_cdf");
  ASSERT_EQ(cases.size(), 81u);
  for (const auto& c : cases) {
    EXPECT_LT(relative(student_t_cdf(c[0], c[1]), c[2]), 1e-12) << c[0] << " with " << c[1];
    EXPECT_LT(relative(student_t_two_sided_p(c[0], c[1]), c[3]), 1e-12) << c[0] << " with " << c[1];
  }
}

TEST(Distributions, StudentsQuantilesAreScipys) {
  const auto& cases = golden_numbers().at("t_quantile");
  ASSERT_EQ(cases.size(), 56u);
  for (const auto& c : cases) {
    EXPECT_LT(relative(student_t_quantile(c[0], c[1]), c[2]), 1e-11) << c[0] << " with " << c[1];
  }
}

TEST(Distributions, NormalQuantilesAreScipys) {
  for (const auto& c : golden_numbers().at("normal")) {
    EXPECT_LT(relative(normal_quantile(c[0]), c[1]), 1e-11) << c[0];
    EXPECT_LT(relative(normal_cdf(c[1]), c[0]), 1e-13) << c[0];
  }
}

TEST(Distributions, KnownByHand) {
  // One degree of freedom is Cauchy's distribution: 1/2 + atan(t)/pi.
  EXPECT_NEAR(student_t_cdf(1.0, 1.0), 0.75, 1e-15);
  // scipy 1.17 is 1.4e-11 off here
  EXPECT_DOUBLE_EQ(student_t_cdf(1e-6, 1.0), 0.5 + std::atan(1e-6) / M_PI);
  EXPECT_NEAR(student_t_quantile(0.75, 1.0), 1.0, 1e-14);
  EXPECT_EQ(student_t_two_sided_p(0.0, 5.0), 1.0);
  EXPECT_EQ(student_t_two_sided_p(INFINITY, 5.0), 0.0);
  EXPECT_EQ(student_t_quantile(0.5, 3.0), 0.0);
}

TEST(Distributions, WhatIsUndefinedIsNan) {
  for (const double p : {0.0, 1.0, -0.5, 2.0, std::nan("")}) {
    EXPECT_TRUE(std::isnan(student_t_quantile(p, 4.0))) << p;
    EXPECT_TRUE(std::isnan(normal_quantile(p))) << p;
  }
  EXPECT_TRUE(std::isnan(student_t_cdf(1.0, 0.0)));
  EXPECT_TRUE(std::isnan(student_t_two_sided_p(std::nan(""), 4.0)));
  EXPECT_TRUE(std::isnan(student_t_quantile(0.9, -1.0)));
}

}  // namespace
}  // namespace muonlab::base
