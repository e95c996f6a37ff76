// Bars and heat maps.
#include <regex>

#include <gtest/gtest.h>

#include "muonlab/page/bars.hpp"
#include "muonlab/page/heat_map.hpp"

namespace muonlab::page {
namespace {

std::vector<double> numbers_after(const std::string& html, const std::string& pattern) {
  std::vector<double> found;
  const std::regex regex(pattern + "\"(-?[0-9.]+)%\"");
  for (std::sregex_iterator at(html.begin(), html.end(), regex), end; at != end; ++at)
    found.push_back(std::stod((*at)[1]));
  return found;
}

TEST(Bars, LengthsAreProportional) {
  const std::string html = bar_chart({.bars = {{.label = "all <&>", .value = 100.0},
                                               {.label = "half", .value = 50.0},
                                               {.label = "none", .text = "unbounded"}}});
  const std::vector<double> widths = numbers_after(html, "<rect[^>]* width=");
  ASSERT_EQ(widths.size(), 2u);  // no bar without a value
  EXPECT_NEAR(widths[0], 2 * widths[1], 0.02);
  EXPECT_NE(html.find("all &lt;&amp;&gt;"), std::string::npos);
  EXPECT_NE(html.find("unbounded"), std::string::npos);
}

TEST(Bars, NegativeValuesLieLeftOfZeroAndWideIntervalsEndAtTheEdge) {
  const std::string html =
      bar_chart({.bars = {{.label = "a", .value = -20.0, .interval = std::pair{-1e9, 1e9}},
                          {.label = "b", .value = 100.0, .mark = 90.0}},
                 .mark_name = "the paper",
                 .interval_name = "95 % interval"});
  const std::vector<double> lefts = numbers_after(html, "<rect x="),
                            widths = numbers_after(html, "<rect[^>]* width=");
  ASSERT_EQ(lefts.size(), 2u);
  EXPECT_NEAR(lefts[0] + widths[0], lefts[1], 0.02);
  EXPECT_NEAR(widths[1], 5 * widths[0], 0.1);
  for (double x : numbers_after(html, "x[12]=")) {
    EXPECT_GE(x, 0);
    EXPECT_LE(x, 100);
  }
  EXPECT_NE(html.find("the paper"), std::string::npos);
  EXPECT_NE(html.find("95 % interval"), std::string::npos);
}

TEST(Bars, LabelsOfTheAxisDoNotTouch) {
  const std::string wide = bar_chart(
      {.bars = {{.label = "a", .value = 636}, {.label = "b", .value = -337}}, .unit = " %"});
  EXPECT_NE(wide.find(">500 %<"), std::string::npos);
  EXPECT_EQ(wide.find(">250 %<"), std::string::npos);
  const std::string narrow =
      bar_chart({.bars = {{.label = "a", .value = 2}, {.label = "b", .value = -2}}});
  EXPECT_NE(narrow.find(">−1<"), std::string::npos);
  EXPECT_NE(narrow.find(">1<"), std::string::npos);
}

TEST(HeatMap, ShowsSharesAndGaps) {
  const std::string html = heat_map({.corner = "row",
                                     .columns = {"1×", "2×"},
                                     .rows = {{"a", {0.25, std::nullopt}}, {"b", {1.0, 0.5}}}});
  EXPECT_NE(html.find("--v:0.250\">25.0 %"), std::string::npos);
  EXPECT_NE(html.find("class=\"strong\" style=\"--v:1.000\">100.0 %"), std::string::npos);
  EXPECT_NE(html.find("class=\"none\""), std::string::npos);
}

}  // namespace
}  // namespace muonlab::page
