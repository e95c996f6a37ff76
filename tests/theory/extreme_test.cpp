// The worst of several figures, where some could not be measured.
#include "muonlab/theory/extreme.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "muonlab/theory/claim.hpp"

namespace muonlab::theory {
namespace {

const double kNone = std::nan("");

TEST(TheoryExtreme, NothingMeasuredIsNoFigure) {
  EXPECT_TRUE(std::isnan(Largest().value()));
  EXPECT_TRUE(std::isnan(Least().value()));
  EXPECT_FALSE(
      (Claim{.statement = "", .measured = Largest().value(), .accepted = at_most(1)}.holds()));
  EXPECT_FALSE(
      (Claim{.statement = "", .measured = Least().value(), .accepted = at_least(1)}.holds()));
}

TEST(TheoryExtreme, OneThatCouldNotBeMeasuredDecidesWhereverItStands) {
  using Values = std::vector<double>;
  for (const Values& values : {Values{kNone, 1, 2}, Values{1, kNone, 2}, Values{1, 2, kNone}}) {
    EXPECT_TRUE(std::isnan(largest_of(values)));
    EXPECT_TRUE(std::isnan(least_of(values)));
    EXPECT_TRUE(std::isnan(farthest_of(values, 1.5)));
  }
}

TEST(TheoryExtreme, OtherwiseTheLargestTheLeastAndTheFarthest) {
  const std::vector<double> values{-3, 2, -1};
  EXPECT_EQ(largest_of(values), 2);
  EXPECT_EQ(least_of(values), -3);
  EXPECT_EQ(farthest_of(values, -2), 2);
  EXPECT_EQ(farthest_of(values, 1), -3);
  EXPECT_EQ(farthest_of(std::vector<double>{0, 0.1}, 0), 0.1);
}

}  // namespace
}  // namespace muonlab::theory
