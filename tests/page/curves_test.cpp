#include "muonlab/page/curves.hpp"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace muonlab::page {
namespace {

Curve ramp(int64_t n) {
  Curve curve;
  for (int64_t i = 1; i <= n; ++i) {
    curve.steps.push_back(i);
    curve.values.push_back(static_cast<double>(i));
    curve.seconds.push_back(0.5 * static_cast<double>(i));
  }
  return curve;
}

TEST(Curves, FewPointsStayAsTheyAre) {
  const Curve curve = ramp(10), same = thinned(curve, 10);
  EXPECT_EQ(same.steps, curve.steps);
  EXPECT_EQ(same.values, curve.values);
}

TEST(Curves, ThinningKeepsSpikesTheirOrderAndTheSteps) {
  Curve curve = ramp(1000), smooth = thinned(curve, 100);
  curve.values[437] = 1e6;
  curve.values[433] = -1e6;
  curve.values[500] = NAN;
  const Curve thin = thinned(curve, 100);
  ASSERT_EQ(thin.steps.size(), 100u);
  EXPECT_EQ(thin.steps, smooth.steps);  // the values do not move the abscissae
  const auto low = std::find(thin.values.begin(), thin.values.end(), -1e6),
             high = std::find(thin.values.begin(), thin.values.end(), 1e6);
  ASSERT_NE(high, thin.values.end());
  EXPECT_EQ(low + 1, high);
  EXPECT_NEAR(static_cast<double>(thin.steps[static_cast<size_t>(high - thin.values.begin())]), 437,
              20);
  EXPECT_EQ(thin.seconds[10], 0.5 * static_cast<double>(thin.steps[10]));
  for (double value : thin.values) EXPECT_FALSE(std::isnan(value));
}

TEST(Curves, ThePanelsJsonSharesStepsAndLeavesGaps) {
  CurvePanel panel{.measures = {{.name = "loss", .unit = "nats"}, {.name = "norm"}},
                   .charts = {{.title = "fair </script>", .series = {}}},
                   .time = true};
  panel.charts[0].series.push_back(
      {"a", "seed 1", 2, 0, 64, {Curve{{1, 2}, {0.123456789, NAN}, {}}, std::nullopt}});
  panel.charts[0].series.push_back(
      {"a", "seed 2", 2, 0, 64, {Curve{{1, 2}, {3, 4}, {0.5, 1}}, std::nullopt}});
  panel.charts[0].series.push_back(
      {"a", "seed 3", 2, 0, 64, {Curve{{1, 2}, {3, 4}, {}, {32, 96}}, std::nullopt}});
  const nlohmann::json json = nlohmann::json::parse(panel_json(panel));
  EXPECT_EQ(json["charts"][0]["series"][2]["m"][0]["t"], nlohmann::json::parse("[32,96]"));
  EXPECT_FALSE(json["charts"][0]["series"][1]["m"][0].contains("t"));
  EXPECT_EQ(json["grids"], nlohmann::json::parse("[[1,2]]"));
  EXPECT_EQ(json["axes"], nlohmann::json::parse(R"(["step","time"])"));
  EXPECT_EQ(json["seeds"], 1);
  const auto& series = json["charts"][0]["series"];
  EXPECT_EQ(series[0]["m"][0]["y"], nlohmann::json::parse("[0.12346,null]"));
  EXPECT_TRUE(series[0]["m"][1].is_null());
  EXPECT_EQ(series[1]["m"][0]["s"], nlohmann::json::parse("[0.5,1]"));
}

}  // namespace
}  // namespace muonlab::page
