#include "muonlab/base/statistics.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"
#include "support/golden_numbers.hpp"

namespace muonlab::base {
namespace {

using support::golden_line;
using support::Numbers;

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

TEST(Statistics, IntervalsAndPairedTestsAreScipys) {
  for (const int n : {2, 3, 8, 20}) {
    const std::string name = "pair" + std::to_string(n);
    const Numbers &a = golden_line(name + ".a"), &b = golden_line(name + ".b"),
                  &expected = golden_line(name + ".t_test");
    const PairedTest test = paired_t_test(a, b);
    EXPECT_NEAR(test.difference, mean(a) - mean(b), 1e-12) << n;
    EXPECT_NEAR(test.t / expected[0], 1.0, 1e-9) << n;
    EXPECT_NEAR(test.p / expected[1], 1.0, 1e-9) << n;
    EXPECT_NEAR(test.standard_error / expected[2], 1.0, 1e-9) << n;
    const Interval interval = mean_interval(a);
    EXPECT_NEAR(interval.low, expected[3], 1e-10) << n;
    EXPECT_NEAR(interval.high, expected[4], 1e-10) << n;
    EXPECT_TRUE(interval.bounded());
  }
}

TEST(Statistics, PairedTestsWithoutSpreadOrPairs) {
  const PairedTest same = paired_t_test(Numbers{1, 2, 3}, Numbers{1, 2, 3});
  EXPECT_EQ(same.p, 1.0);
  const PairedTest shifted = paired_t_test(Numbers{2, 3, 4}, Numbers{1, 2, 3});
  EXPECT_EQ(shifted.difference, 1.0);
  EXPECT_EQ(shifted.p, 0.0);
  const PairedTest single = paired_t_test(Numbers{3}, Numbers{1});
  EXPECT_EQ(single.difference, 2.0);
  EXPECT_TRUE(std::isnan(single.standard_error) && std::isnan(single.t) && std::isnan(single.p));
  EXPECT_THROW(paired_t_test(Numbers{1, 2}, Numbers{1}), Bug);
}

TEST(Statistics, OneValueHasNoInterval) {
  EXPECT_FALSE(mean_interval(Numbers{4.1}).bounded());
  EXPECT_TRUE(mean_interval(Numbers{4.1}).holds(1e9));
}

TEST(Statistics, HolmsCorrection) {
  for (int i = 0; i < 4; ++i) {
    const std::string name = "holm" + std::to_string(i);
    const std::vector<double> adjusted = holm(golden_line(name + ".p"));
    const Numbers& expected = golden_line(name + ".adjusted");
    ASSERT_EQ(adjusted.size(), expected.size());
    for (size_t k = 0; k < expected.size(); ++k)
      EXPECT_NEAR(adjusted[k], expected[k], 1e-15) << name << " " << k;
  }
  EXPECT_TRUE(holm({}).empty());
}

}  // namespace
}  // namespace muonlab::base
