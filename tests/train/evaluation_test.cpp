// Which windows of the validation data are evaluated.
#include <gtest/gtest.h>

#include "muonlab/train/evaluation.hpp"

namespace muonlab::train {
namespace {

using config::EvalWindows;

TEST(ValidationWindows, AreSpreadOverAllOfThem) {
  EXPECT_EQ(validation_windows(4, 100, EvalWindows::spread), (std::vector<int64_t>{0, 25, 50, 75}));
  EXPECT_EQ(validation_windows(3, 10, EvalWindows::spread), (std::vector<int64_t>{0, 3, 6}));
  EXPECT_EQ(validation_windows(4, 7, EvalWindows::spread), (std::vector<int64_t>{0, 1, 3, 5}));
  EXPECT_EQ(validation_windows(1, 7, EvalWindows::spread), (std::vector<int64_t>{0}));
  const int64_t many = int64_t{1} << 50;
  const std::vector<int64_t> windows = validation_windows(1 << 20, many, EvalWindows::spread);
  for (size_t i = 0; i < windows.size(); i += 1000) {
    EXPECT_EQ(windows[i], static_cast<int64_t>(i) << 30) << i;
  }
}

TEST(ValidationWindows, AllOfThemAreEachOnce) {
  const std::vector<int64_t> all{0, 1, 2, 3, 4};
  EXPECT_EQ(validation_windows(5, 5, EvalWindows::spread), all);
  EXPECT_EQ(validation_windows(5, 5, EvalWindows::first), all);
  EXPECT_EQ(validation_windows(5, 900, EvalWindows::first), all);
}

}  // namespace
}  // namespace muonlab::train
