#include "muonlab/base/ratio.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "support/golden_numbers.hpp"

namespace muonlab::base {
namespace {

using support::golden_line;
using support::golden_numbers;
using support::Numbers;

TEST(Ratio, FiellersIntervalIsWhatTheTTestDoesNotRefuse) {
  for (const char* name : {"ratio3_0.002", "ratio5_0.02", "ratio8_0.01", "ratio8_0.03",
                           "ratio12_0.02", "ratio4_0.2"}) {
    const Interval found = fieller_interval(golden_line(name + std::string(".top")),
                                            golden_line(name + std::string(".bottom")));
    const Numbers& expected = golden_line(name + std::string(".fieller"));
    if (std::isinf(expected[0])) {
      EXPECT_FALSE(found.bounded()) << name;
      continue;
    }
    EXPECT_NEAR(found.low, expected[0], 1e-9) << name;
    EXPECT_NEAR(found.high, expected[1], 1e-9) << name;
  }
}

// The exact interval has no random numbers, so what differs is the error of 20,000 resamples: their
// percentiles near the ends have a standard error of 3 % of the spread, the interval is five
// spreads wide.
TEST(Ratio, BootstrapIsNearTheExactIntervalAndScipys) {
  int compared = 0;
  for (const std::string name : {"ratio8_0.01", "ratio8_0.03", "ratio12_0.02"}) {
    const Interval found =
        bootstrap_ratio_interval(golden_line(name + ".top"), golden_line(name + ".bottom"));
    for (const std::string kind : {".exact", ".scipy"}) {
      if (!golden_numbers().count(name + kind)) continue;
      const Numbers& expected = golden_line(name + kind);
      const double tolerance = 0.02 * (expected[1] - expected[0]);
      EXPECT_NEAR(found.low, expected[0], tolerance) << name << kind;
      EXPECT_NEAR(found.high, expected[1], tolerance) << name << kind;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 5);
}

TEST(Ratio, BootstrapRepeatsItself) {
  const Numbers &top = golden_line("ratio8_0.03.top"), &bottom = golden_line("ratio8_0.03.bottom");
  const Interval once = bootstrap_ratio_interval(top, bottom),
                 again = bootstrap_ratio_interval(top, bottom);
  EXPECT_EQ(once.low, again.low);
  EXPECT_EQ(once.high, again.high);
}

// The covariance matters: what a seed does to both cancels in the ratio.
TEST(Ratio, OfProportionalValuesIsCertain) {
  const Numbers bottom{1.0, 2.0, 1.5, 2.5, 1.75, 2.25, 1.25, 2.0};
  Numbers top;
  for (const double value : bottom) top.push_back(0.75 * value);
  for (const Interval found :
       {fieller_interval(top, bottom), bootstrap_ratio_interval(top, bottom)}) {
    EXPECT_NEAR(found.low, 0.75, 1e-7);
    EXPECT_NEAR(found.high, 0.75, 1e-7);
  }
}

TEST(Ratio, OfExactNumbersByHand) {
  // Bottom without spread: the t interval of the top over it. Mean 2, standard error 1/sqrt 3, t =
  // 4.302653 for 95 %.
  const Interval found = fieller_interval(Numbers{1, 2, 3}, Numbers{4, 4, 4});
  EXPECT_NEAR(found.low, (2.0 - 4.302653 / std::sqrt(3.0)) / 4.0, 1e-6);
  EXPECT_NEAR(found.high, (2.0 + 4.302653 / std::sqrt(3.0)) / 4.0, 1e-6);
}

TEST(Ratio, IsUnboundedWhereTheBottomMayBeZero) {
  const Numbers top{1, 2, 3, 2, 1, 2, 3, 2}, bottom{-1, 2, -1, 2, -1, 2, -1, 2}, zero(8, 0.0);
  EXPECT_FALSE(fieller_interval(top, bottom).bounded());
  EXPECT_FALSE(bootstrap_ratio_interval(top, bottom).bounded());
  EXPECT_FALSE(fieller_interval(top, zero).bounded());
  EXPECT_FALSE(bootstrap_ratio_interval(zero, zero).bounded());
  EXPECT_FALSE(fieller_interval(Numbers{1}, Numbers{2}).bounded());
  EXPECT_FALSE(bootstrap_ratio_interval(Numbers{}, Numbers{}).bounded());
}

}  // namespace
}  // namespace muonlab::base
