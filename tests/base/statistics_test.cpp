#include "muonlab/base/statistics.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace muonlab::base {
namespace {

TEST(Statistics, OfAHandfulOfNumbers) {
  const std::vector<double> values{2, 4, 4, 4, 5, 5, 7, 9};
  EXPECT_DOUBLE_EQ(mean(values), 5.0);
  EXPECT_DOUBLE_EQ(standard_deviation(values), std::sqrt(32.0 / 7.0));
  EXPECT_DOUBLE_EQ(standard_error(values), std::sqrt(32.0 / 7.0 / 8.0));
  EXPECT_DOUBLE_EQ(median(values), 4.5);
}

TEST(Statistics, QuantilesInterpolate) {
  const std::vector<double> values{40, 10, 30, 20};  // numpy.quantile's defaults
  EXPECT_DOUBLE_EQ(quantile(values, 0.0), 10.0);
  EXPECT_DOUBLE_EQ(quantile(values, 1.0), 40.0);
  EXPECT_DOUBLE_EQ(quantile(values, 0.25), 17.5);
  EXPECT_DOUBLE_EQ(quantile(values, 0.9), 37.0);
  EXPECT_DOUBLE_EQ(median(std::vector<double>{3}), 3.0);
}

TEST(Statistics, TooFewNumbersGiveNan) {
  EXPECT_TRUE(std::isnan(mean({})));
  EXPECT_TRUE(std::isnan(median({})));
  EXPECT_TRUE(std::isnan(standard_deviation(std::vector<double>{1})));
  EXPECT_TRUE(std::isnan(standard_error(std::vector<double>{1})));
}

TEST(Statistics, LargeOffsetsDoNotCancel) {
  const std::vector<double> values{1e9 + 1, 1e9 + 2, 1e9 + 3};
  EXPECT_NEAR(standard_deviation(values), 1.0, 1e-6);
}

}  // namespace
}  // namespace muonlab::base
