#include "muonlab/page/xy_plot.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace muonlab::page {
namespace {

XyPlot plot_of(std::vector<double> x, std::vector<double> y, bool log) {
  return {.title = "a <b>",
          .x = {.name = "x"},
          .y = {.name = "y", .log = log},
          .series = {{.label = "line & more", .x = std::move(x), .y = std::move(y), .colour = 1}}};
}

// The data's path: the one with a width of 2.
std::string path_of(const std::string& html) {
  const size_t end = html.find("\" fill=\"none\" stroke=\"var(--c1)\" stroke-width=\"2\"");
  if (end == std::string::npos) return "";
  const size_t begin = html.rfind("d=\"", end) + 3;
  return html.substr(begin, end - begin);
}

size_t count_of(const std::string& text, char c) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), c));
}

TEST(XyPlot, PointsLieInProportion) {
  XyPlot plot = plot_of({0, 5, 10}, {0, 1, 4}, false);
  plot.x.range = std::pair{0.0, 10.0};
  plot.y.range = std::pair{0.0, 4.0};
  EXPECT_EQ(path_of(xy_plot(plot)), "M0.0 1000.0L500.0 750.0L1000.0 0.0");
}

TEST(XyPlot, LogarithmsAreTakenAndWhatHasNoneIsAGap) {
  XyPlot plot = plot_of({0, 1, 2, 3}, {1, 0, 10, 100}, true);
  plot.x.range = std::pair{0.0, 3.0};
  plot.y.range = std::pair{1.0, 100.0};
  const std::string path = path_of(xy_plot(plot));
  EXPECT_EQ(path, "M0.0 1000.0M666.7 500.0L1000.0 0.0");
}

TEST(XyPlot, ErrorBarsStandOnTheirPointsAndCountForTheScale) {
  XyPlot plot = plot_of({0, 10}, {1, 3}, false);
  plot.series[0].low = {0, 2};
  plot.series[0].high = {2, 4};
  plot.x.range = std::pair{0.0, 10.0};
  plot.y.range = std::pair{0.0, 4.0};
  const std::string bars = "d=\"M0.0 1000.0V500.0M1000.0 500.0V0.0\"";
  EXPECT_NE(xy_plot(plot).find(bars), std::string::npos);
  // Without a range of its own the ordinate reaches to their ends: from below 0 to above 4.
  plot.y.range.reset();
  const std::string html = xy_plot(plot);
  EXPECT_NE(html.find(">4</span>"), std::string::npos);
  // An end that is not finite leaves its bar out, not the point.
  plot.series[0].high[0] = INFINITY;
  plot.y.range = std::pair{0.0, 4.0};
  EXPECT_EQ(xy_plot(plot).find("V500.0M"), std::string::npos);
  EXPECT_EQ(path_of(xy_plot(plot)), "M0.0 750.0L1000.0 250.0");
}

TEST(XyPlot, TextIsEscapedAndZeroHasNoSign) {
  const std::string html = xy_plot(plot_of({-1, 1}, {-1, 1}, false));
  EXPECT_NE(html.find("a &lt;b&gt;"), std::string::npos);
  EXPECT_NE(html.find("line &amp; more"), std::string::npos);
  EXPECT_EQ(html.find(">-0<"), std::string::npos);
}

TEST(XyPlot, DrawsWithoutUsableData) {
  const double nan = std::nan("");
  for (const bool log : {false, true}) {
    EXPECT_EQ(path_of(xy_plot(plot_of({}, {}, log))), "");
    EXPECT_EQ(path_of(xy_plot(plot_of({1, 2}, {nan, nan}, log))), "");
    const std::string html = xy_plot(plot_of({3}, {3}, log));
    EXPECT_EQ(html.find("nan"), std::string::npos);
    EXPECT_EQ(count_of(path_of(html), 'M'), 1u);
  }
}

TEST(XyPlot, AShortLogarithmicAxisHasTicks) {
  XyPlot plot = plot_of({1, 2}, {21, 26}, true);
  plot.y.range = std::pair{21.0, 26.0};
  const std::string html = xy_plot(plot);
  for (const char* tick : {">22<", ">24<"}) EXPECT_NE(html.find(tick), std::string::npos) << tick;
}

TEST(XyPlot, AMarkerIsAPointOfItsOwn) {
  XyPlot plot = plot_of({1, 2, 3}, {1, 2, 3}, false);
  plot.series[0].marker = 1;
  plot.series[0].line = false;
  const std::string html = xy_plot(plot);
  EXPECT_EQ(path_of(html), "");
  EXPECT_NE(html.find("stroke-linecap=\"round\""), std::string::npos);
}

}  // namespace
}  // namespace muonlab::page
