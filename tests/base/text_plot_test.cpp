#include "muonlab/base/text_plot.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "muonlab/base/text.hpp"

namespace muonlab::base {
namespace {

TEST(TextPlot, ARisingLineGoesFromTheLowerLeftToTheUpperRight) {
  const std::string plot =
      text_plot("up", {{.points = {{0, 1}, {1, 2}, {2, 3}, {3, 4}}}}, {.width = 18, .height = 6});
  EXPECT_EQ(plot,
            "up\n"
            "       4 ┤       ⠈\n"
            "         │     ⠂\n"
            "       2 ┤  ⠠\n"
            "       1 ┤⡀\n"
            "          0      3\n");
}

TEST(TextPlot, LinesAreNoLongerThanAsked) {
  PlotSeries line, marks{.points = {}, .marks = true};
  for (int i = 0; i < 500; ++i) {
    line.points.emplace_back(i, 1e5 + std::sin(i * 0.1) * 1e3);
    if (i % 50 == 0) marks.points.emplace_back(i, 1e5);
  }
  for (const size_t width : {20u, 60u, 133u}) {
    const std::string plot = text_plot("t", {line, marks}, {.width = width, .height = 9});
    const std::vector<std::string> lines = split(plot, '\n');
    EXPECT_EQ(lines.size(), 1u + 7 + 1 + 1);
    for (const std::string& one : lines) EXPECT_LE(display_width(one), width) << one;
    EXPECT_TRUE(is_valid_utf8(plot));
    EXPECT_NE(plot.find("○"), std::string::npos);
  }
}

TEST(TextPlot, AFirstSteepFallDoesNotFlattenTheRest) {
  PlotSeries line;
  for (int i = 0; i < 200; ++i) line.points.emplace_back(i, i < 5 ? 100.0 - i : 2.0 - i * 0.001);
  EXPECT_NE(text_plot("loss", {line}, {}).find("loss  (larger values at the upper edge)\n"),
            std::string::npos);
}

TEST(TextPlot, WhatIsNotFiniteIsLeftOut) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(text_plot("t", {}, {}), "");
  EXPECT_EQ(text_plot("t", {{.points = {{0, nan}, {nan, 1}}}}, {}), "");
  EXPECT_EQ(text_plot("t", {{.points = {{0, nan}, {1, 5}, {2, INFINITY}}}}, {}),
            text_plot("t", {{.points = {{1, 5}}}}, {}));
}

}  // namespace
}  // namespace muonlab::base
