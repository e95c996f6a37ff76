// Bars and heat maps.
#include <cmath>
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
  const std::string html = bar_chart({.name = "shares",
                                      .bars = {{.label = "all <&>", .value = 100.0},
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
      bar_chart({.name = "shares",
                 .bars = {{.label = "a", .value = -20.0, .interval = std::pair{-1e9, 1e9}},
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
  const std::string wide =
      bar_chart({.name = "shares",
                 .bars = {{.label = "a", .value = 636}, {.label = "b", .value = -337}},
                 .unit = " %"});
  EXPECT_NE(wide.find(">500 %<"), std::string::npos);
  EXPECT_EQ(wide.find(">250 %<"), std::string::npos);
  const std::string narrow = bar_chart(
      {.name = "shares", .bars = {{.label = "a", .value = 2}, {.label = "b", .value = -2}}});
  EXPECT_NE(narrow.find(">−1<"), std::string::npos);
  EXPECT_NE(narrow.find(">1<"), std::string::npos);
}

TEST(Bars, AnEndBeyondTheDrawingIsAnArrow) {
  const auto arrows = [](const std::pair<double, double>& interval) {
    const std::string html = bar_chart(
        {.name = "shares", .bars = {{.label = "a", .value = 50.0, .interval = interval}}});
    std::pair<bool, bool> found;
    found.first = html.find("M-2 0L6 -5L6 5Z") != std::string::npos;
    found.second = html.find("M2 0L-6 -5L-6 5Z") != std::string::npos;
    return found;
  };
  EXPECT_EQ(arrows({40, 60}), std::pair(false, false));
  EXPECT_EQ(arrows({40, 1e6}), std::pair(false, true));
  EXPECT_EQ(arrows({-INFINITY, INFINITY}), std::pair(true, true));
}

TEST(Bars, OneThatDwarfsTheOthersIsCutOff) {
  const auto widths = [](double longest) {
    const std::string html = bar_chart({.name = "shares",
                                        .bars = {{.label = "a", .value = 100.0},
                                                 {.label = "b", .value = 80.0},
                                                 {.label = "c", .value = longest, .text = "c"}}});
    const bool is_cut = html.find("M-2 0L6 -5L6 5Z") != std::string::npos;
    return std::pair(numbers_after(html, "<rect[^>]* width="), is_cut);
  };
  const auto [whole, is_whole_cut] = widths(-390.0);
  EXPECT_FALSE(is_whole_cut);
  EXPECT_NEAR(whole[2], 3.9 * whole[0], 0.1);
  const auto [cut, is_cut] = widths(-1064.0);
  EXPECT_TRUE(is_cut);
  EXPECT_NEAR(cut[1], 0.8 * cut[0], 0.02) << "the others still compare";
  EXPECT_LT(cut[2], 2 * cut[0]);
  EXPECT_GT(cut[2], 1.4 * cut[0]);
}

TEST(Bars, AScaleHasTwoLabelsAtLeast) {
  const std::string html =
      bar_chart({.name = "gains",
                 .bars = {{.label = "a", .value = -0.00123}, {.label = "b", .value = 0.00312}},
                 .unit = " nats a token"});
  size_t labels = 0;
  for (size_t at = 0; (at = html.find("<text", at)) != std::string::npos; ++at) ++labels;
  EXPECT_GE(labels, 2u) << html;
}

TEST(Bars, SayThemselvesToAScreenReader) {
  const std::string html = bar_chart(
      {.name = "share <of the gain>",
       .bars =
           {{.label = "a", .value = 30.0, .interval = std::pair{-17.0, INFINITY}, .mark = 53.0}},
       .unit = " %",
       .mark_name = "the paper",
       .interval_name = "95 % interval"});
  EXPECT_NE(html.find("role=\"list\" aria-label=\"share &lt;of the gain&gt;\""), std::string::npos);
  EXPECT_NE(html.find("<svg role=\"img\" aria-label=\"bar to 30 %; 95 % interval from −17 % to "
                      "beyond the drawing; the paper 53 %\">"),
            std::string::npos)
      << html;
}

TEST(HeatMap, ShowsSharesAndGaps) {
  const std::string html = heat_map({.caption = "accuracy <by row>",
                                     .corner = "row",
                                     .columns = {"1×", "2×"},
                                     .rows = {{"a", {0.25, std::nullopt}}, {"b", {1.0, 0.5}}}});
  EXPECT_NE(html.find("\">25.0 %"), std::string::npos);
  EXPECT_NE(html.find("<td style=\"background:light-dark(#00558a,#6cc4fa);"
                      "color:light-dark(#ffffff,#000000)\">100.0 %"),
            std::string::npos)
      << html;
  EXPECT_NE(html.find("<caption class=\"unseen\">accuracy &lt;by row&gt;</caption>"),
            std::string::npos);
  EXPECT_NE(html.find("<th scope=\"row\">a</th>"), std::string::npos);
  EXPECT_NE(html.find("class=\"none\""), std::string::npos);
}

}  // namespace
}  // namespace muonlab::page
