#include "study/report/curve_plot.hpp"

#include <gtest/gtest.h>

#include "muonlab/base/text.hpp"

namespace muonlab::study {
namespace {

std::string plot(const std::vector<Curve>& curves, bool colour = false) {
  return plot_curves(curves, 10, 3, "steps", colour);
}

TEST(CurvePlot, AFallingLine) {
  EXPECT_EQ(plot({{"A", {{0, 2}, {10, 0}}}}), R"(1.600 ┤▴▴⠑⠤⡀
0.800 ┤    ⠈⠑⢄⡀
0.000 ┤       ⠈⠢⢄ A
      └0 10 steps
      ▴ cut off: up to 2.000
)");
}

TEST(CurvePlot, MarksStandAtTheEndsOfTheirCurves) {
  const std::vector<std::string> lines =
      base::split(plot({{"A", {{0, 2}, {10, 0}}}, {"B", {{0, 2}, {10, 2}}}}), '\n');
  EXPECT_TRUE(lines[0].ends_with(" B")) << lines[0];
  EXPECT_TRUE(lines[2].ends_with(" A")) << lines[2];
  const std::string together = plot({{"A", {{0, 2}, {10, 0}}}, {"B", {{0, 1}, {10, 0}}}});
  EXPECT_NE(together.find(" A B\n"), std::string::npos) << together;
}

// The y range begins at a fifth of the x range: 8 there, though the curve starts at 100.
TEST(CurvePlot, ASteepStartDoesNotFlattenTheRest) {
  const std::string text = plot({{"A", {{0, 100}, {2, 8}, {10, 0}}}});
  EXPECT_TRUE(text.starts_with("8.000 ┤")) << text;
}

TEST(CurvePlot, ShorterRunsEndEarlier) {
  const std::string text = plot({{"A", {{0, 1}, {10, 1}}}, {"B", {{0, 0}, {5, 0}}}});
  const std::vector<std::string> lines = base::split(text, '\n');
  EXPECT_EQ(lines[0].substr(0, 9), "1.000 ┤");
  EXPECT_NE(lines[0].find("⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉"), std::string::npos) << text;
  EXPECT_NE(lines[2].find("⣀⣀⣀⣀⣀      B"), std::string::npos) << text;
}

TEST(CurvePlot, NothingToDraw) {
  EXPECT_EQ(plot({}), "");
  EXPECT_EQ(plot({{"A", {}}}), "");
  EXPECT_EQ(plot({{"A", {{0, 2}}}}), "");
  EXPECT_NE(plot({{"A", {{0, 2}, {5, 2}}}}), "");  // a flat line is one
}

TEST(CurvePlot, ColoursOnlyWhenAsked) {
  const std::vector<Curve> curves{{"A", {{0, 2}, {10, 0}}}};
  EXPECT_EQ(plot(curves).find('\x1b'), std::string::npos);
  EXPECT_NE(plot(curves, true).find("\x1b[34mA\x1b[0m"), std::string::npos);
}

}  // namespace
}  // namespace muonlab::study
