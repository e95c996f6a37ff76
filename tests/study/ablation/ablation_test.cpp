#include "muonlab/study/ablation/ablation.hpp"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "support/golden_numbers.hpp"

namespace muonlab::study {
namespace {

using support::golden_line;
using support::Numbers;

std::map<int64_t, double> by_seed(const Numbers& losses) {
  std::map<int64_t, double> map;
  for (size_t i = 0; i < losses.size(); ++i) map[static_cast<int64_t>(i) + 1] = losses[i];
  return map;
}

// The golden file's study of n seeds, with the paper's losses of the gated layer (Table 1).
Ablation golden_ablation(int n) {
  const auto losses = [n](const char* row) {
    return by_seed(golden_line(base::str("study", n, ".", row, ".losses")));
  };
  return {.title = "",
          .rows = {{"qk", "Q K", losses("qk"), 3.8518},
                   {"adam", "none (Adam)", losses("adam"), 3.8837},
                   {"vo_ffn", "V O FFN", losses("vo_ffn"), 3.5312},
                   {"all", "all", losses("all"), 3.5125}},
          .baseline = "adam",
          .reference = "all"};
}

// A study small enough to compute by hand.
Ablation small(std::map<int64_t, double> adam, std::map<int64_t, double> row,
               std::map<int64_t, double> all) {
  return {.title = "",
          .rows = {{"adam", "none (Adam)", std::move(adam)},
                   {"row", "V O", std::move(row)},
                   {"all", "all", std::move(all)}},
          .baseline = "adam",
          .reference = "all"};
}

void expect_estimate(const std::optional<Estimate>& found, double value, double error, double low,
                     double high) {
  ASSERT_TRUE(found && found->standard_error && found->interval);
  EXPECT_NEAR(found->value, value, 1e-9);
  EXPECT_NEAR(*found->standard_error, error, 1e-9);
  EXPECT_NEAR(found->interval->low, low, 1e-9);
  EXPECT_NEAR(found->interval->high, high, 1e-9);
}

TEST(Ablation, TheStepOfALossIsInterpolatedBetweenValidations) {
  const LossCurve curve{{0, 6}, {10, 4}, {20, 3}, {30, 3.5}};
  EXPECT_DOUBLE_EQ(*step_reaching(curve, 5), 5);
  EXPECT_DOUBLE_EQ(*step_reaching(curve, 3.25), 17.5);
  EXPECT_DOUBLE_EQ(*step_reaching(curve, 3), 20);
  EXPECT_DOUBLE_EQ(*step_reaching(curve, 7), 0);
  EXPECT_FALSE(step_reaching(curve, 2.9));
  EXPECT_FALSE(step_reaching({{0, NAN}}, 2.9));
}

// Half and a quarter of the baseline's 40 steps: a geometric mean of 0.354.
TEST(Ablation, StepsToTheBaselinesLossArePairedBySeed) {
  Ablation study = small({{1, 4}, {2, 5}}, {{1, 3}, {2, 3}}, {{1, 3}, {2, 4}});
  study.rows[0].curves = {{1, {{0, 8}, {40, 4}}}, {2, {{0, 8}, {40, 5}}}};
  study.rows[1].curves = {{1, {{0, 8}, {20, 4}, {40, 3}}}, {2, {{0, 8}, {10, 5}, {40, 3}}}};
  study.rows[2].curves = {{1, {{0, 8}, {40, 4.5}}}, {2, {{0, 8}, {40, 4}}}};
  const AblationAnswer answer = answer_ablation(study);
  EXPECT_FALSE(answer.row("adam").reach);
  const Reach& row = *answer.row("row").reach;
  EXPECT_EQ(row.num_reached, 2);
  EXPECT_NEAR(*row.share, std::sqrt(0.5 * 0.25), 1e-12);
  // t of one degree of freedom, 12.706, times the standard error of the logarithms, ln(2) / 2
  EXPECT_NEAR(row.interval->low, *row.share / std::exp(12.70620474 * std::log(2) / 2), 1e-6);
  const Reach& all = *answer.row("all").reach;
  EXPECT_EQ(all.num_reached, 1);
  EXPECT_EQ(all.num_seeds, 2);
  EXPECT_FALSE(all.share);  // the seed that did not reach it is not left out of a mean
  const nlohmann::ordered_json json = ablation_json(answer);
  for (const auto& entry : json["rows"]) {
    if (entry["name"] != "all") continue;
    EXPECT_EQ(entry["steps_to_baseline_loss"].dump(), R"({"n":2,"reached":1})");
  }
}

TEST(Ablation, RowsAreMeasuredAgainstTheReferenceToo) {
  // Differences to the reference are 0.05 and 0.15, while the baseline's two seeds lie 1 apart.
  const AblationAnswer answer =
      answer_ablation(small({{1, 5}, {2, 6}}, {{1, 4.05}, {2, 4.25}}, {{1, 4}, {2, 4.1}}));
  const std::optional<Estimate>& behind = answer.row("row").behind;
  ASSERT_TRUE(behind && behind->standard_error);
  EXPECT_NEAR(behind->value, 0.10, 1e-12);
  EXPECT_NEAR(*behind->standard_error, 0.05, 1e-12);
  EXPECT_NEAR(answer.row("adam").behind->value, 1.45, 1e-12);
  EXPECT_FALSE(answer.row("all").behind);
  EXPECT_NEAR(ablation_json(answer)["rows"][1]["loss_minus_reference"]["value"].get<double>(), 0.10,
              1e-12);
}

TEST(Ablation, FiguresAreScipys) {
  for (const int n : {3, 8}) {
    const AblationAnswer answer = answer_ablation(golden_ablation(n));
    const std::string study = base::str("study", n, ".");
    for (const char* name : {"adam", "qk", "vo_ffn", "all"}) {
      const RowAnswer& row = answer.row(name);
      const Numbers& loss = golden_line(study + name + ".loss");
      expect_estimate(row.loss, loss[0], loss[2], loss[3], loss[4]);
      EXPECT_EQ(row.loss->n, n);
      EXPECT_NEAR(*row.deviation, loss[1], 1e-9);
      if (row.name == "adam") continue;
      const Numbers& gain = golden_line(study + name + ".gain");
      expect_estimate(row.gain, gain[0], gain[1], gain[2], gain[3]);
    }
    size_t i = 0;
    for (const char* name : {"qk", "vo_ffn", "all"}) {
      EXPECT_NEAR(*answer.row(name).p / golden_line(study + "p")[i], 1.0, 1e-8) << name;
      EXPECT_NEAR(*answer.row(name).p_holm / golden_line(study + "p_holm")[i++], 1.0, 1e-8) << name;
    }
    // Fieller's ends are exact; the bootstrap's are those of all resamples but for the error of
    // 20,000 drawn ones.
    for (const char* name : {"qk", "vo_ffn"}) {
      const Numbers& share = golden_line(study + name + ".recovered");
      const std::optional<Estimate>& found = answer.row(name).recovered;
      const double tolerance = n < 8 ? 1e-7 : 0.03 * (share[2] - share[1]);
      EXPECT_NEAR(found->value, share[0], 1e-9);
      EXPECT_NEAR(found->interval->low, share[1], tolerance) << name;
      EXPECT_NEAR(found->interval->high, share[2], tolerance) << name;
    }
  }
}

TEST(Ablation, PublishedLossesGiveThePapersShares) {
  const AblationAnswer answer = answer_ablation(golden_ablation(8));
  EXPECT_NEAR(*answer.row("vo_ffn").published_recovered, 0.950, 0.0005);  // papers.md: 95.0 %
  EXPECT_NEAR(*answer.row("qk").published_recovered, 0.086, 0.0005);      // 8.6 %
  EXPECT_EQ(*answer.row("all").published_recovered, 1.0);
  EXPECT_EQ(*answer.row("adam").published_recovered, 0.0);
}

TEST(Ablation, ByHand) {
  // Gains over Adam: row 1, 3; all 2, 4. Means 2 and 3, each with a standard error of 1, and t =
  // 12.706 for two seeds.
  const AblationAnswer answer =
      answer_ablation(small({{1, 5}, {2, 6}}, {{1, 4}, {2, 3}}, {{1, 3}, {2, 2}}));
  const RowAnswer& row = answer.row("row");
  expect_estimate(row.gain, 2.0, 1.0, 2.0 - 12.706204736, 2.0 + 12.706204736);
  EXPECT_NEAR(*row.p, 1.0 - 2.0 / M_PI * std::atan(2.0), 1e-12);  // Cauchy's tails
  EXPECT_NEAR(row.recovered->value, 2.0 / 3.0, 1e-15);
  EXPECT_FALSE(row.recovered->interval->bounded());  // the gap is 3 +- 12.7
  EXPECT_NEAR(*answer.row("all").p_holm, std::max(2 * *answer.row("all").p, *answer.row("all").p),
              1e-12);
  EXPECT_EQ(*row.p_holm, std::max(*row.p, *answer.row("all").p_holm));
}

TEST(Ablation, EndsOfTheScaleAreCertain) {
  const AblationAnswer answer = answer_ablation(golden_ablation(8));
  EXPECT_EQ(answer.row("adam").recovered->value, 0.0);
  EXPECT_FALSE(answer.row("adam").recovered->interval);
  EXPECT_FALSE(answer.row("adam").gain);
  EXPECT_EQ(answer.row("all").recovered->value, 1.0);
  EXPECT_FALSE(answer.row("all").recovered->interval);
}

TEST(Ablation, OnlySharedSeedsArePaired) {
  // Seed 1 is cheap for everyone; the row lacks it and would look bad beside means over all seeds.
  const AblationAnswer answer =
      answer_ablation(small({{1, 1.0}, {2, 5.0}, {3, 5.2}}, {{2, 4.5}, {3, 4.6}, {9, 2.0}},
                            {{1, 0.5}, {2, 4.0}, {3, 4.1}}));
  const RowAnswer& row = answer.row("row");
  EXPECT_EQ(row.loss->n, 3);
  EXPECT_EQ(row.gain->n, 2);
  EXPECT_NEAR(row.gain->value, 0.55, 1e-12);
  EXPECT_NEAR(row.recovered->value, 0.55 / 1.05, 1e-12);
  EXPECT_EQ(answer.row("all").gain->n, 3);
}

TEST(Ablation, FailedSeedsCountAsAbsent) {
  const AblationAnswer answer = answer_ablation(
      small({{1, 5.0}, {2, 5.2}}, {{1, std::nan("")}, {2, 4.6}}, {{1, 4.0}, {2, INFINITY}}));
  EXPECT_EQ(answer.row("row").loss->n, 1);
  EXPECT_NEAR(answer.row("row").gain->value, 0.6, 1e-12);
  EXPECT_FALSE(answer.row("row").recovered);  // no seed has all three
  EXPECT_EQ(answer.row("all").gain->n, 1);
}

TEST(Ablation, OneSeedHasValuesAndNothingElse) {
  const AblationAnswer answer = answer_ablation(small({{1, 4.11}}, {{1, 4.07}}, {{1, 4.06}}));
  const RowAnswer& row = answer.row("row");
  EXPECT_NEAR(row.gain->value, 0.04, 1e-12);
  EXPECT_NEAR(row.recovered->value, 0.8, 1e-12);
  EXPECT_FALSE(row.gain->standard_error || row.gain->interval || row.loss->interval ||
               row.recovered->interval);
  EXPECT_FALSE(row.deviation || row.p || row.p_holm);
}

TEST(Ablation, RowsWithoutLossesAreAbsentNotNan) {
  const AblationAnswer answer = answer_ablation(small({}, {{1, 4.07}}, {{1, 4.06}}));
  EXPECT_FALSE(answer.row("adam").loss);
  EXPECT_TRUE(answer.row("row").loss);
  EXPECT_FALSE(answer.row("row").gain || answer.row("row").recovered ||
               answer.row("all").recovered);
  EXPECT_EQ(answer.rows[2].name, "all");  // nothing to sort by: the order given
  const AblationAnswer nothing = answer_ablation(small({}, {}, {}));
  EXPECT_FALSE(nothing.row("row").loss || nothing.row("row").gain);
}

TEST(Ablation, ANegativeGapHasNoShares) {
  const AblationAnswer answer =
      answer_ablation(small({{1, 4.0}, {2, 4.1}}, {{1, 4.0}, {2, 4.2}}, {{1, 4.1}, {2, 4.21}}));
  EXPECT_FALSE(answer.row("row").recovered);
  EXPECT_LT(answer.row("all").gain->value, 0.0);
}

TEST(Ablation, RowsComeByGainOrAsGiven) {
  const AblationAnswer sorted = answer_ablation(golden_ablation(8));
  EXPECT_EQ(sorted.rows[0].name, "all");
  EXPECT_EQ(sorted.rows[1].name, "vo_ffn");
  EXPECT_EQ(sorted.rows[3].name, "adam");
  const AblationAnswer given = answer_ablation(golden_ablation(8), RowOrder::as_given);
  EXPECT_EQ(given.rows[0].name, "qk");
  EXPECT_EQ(given.rows[3].name, "all");
}

TEST(Ablation, JsonHoldsTheFiguresThatThereAre) {
  const AblationAnswer answer =
      answer_ablation(small({{1, 5}, {2, 6}}, {{1, 4}, {2, 3}}, {{1, 3}, {2, 2}}));
  const nlohmann::ordered_json json = ablation_json(answer);
  EXPECT_EQ(json["rows"][1]["name"], "row");
  EXPECT_EQ(json["rows"][1]["gain"]["value"], 2.0);
  EXPECT_EQ(json["rows"][1]["gain"]["interval"][0], answer.rows[1].gain->interval->low);
  // A gain of two seeds is not certain, so its shares are no numbers.
  EXPECT_FALSE(json["rows"][1].contains("recovered"));
  EXPECT_EQ(ablation_json(answer_ablation(golden_ablation(8)))["rows"][1]["recovered"]["n"], 8);
  EXPECT_EQ(json["rows"][1]["p_holm"], *answer.rows[1].p_holm);
  EXPECT_FALSE(json["rows"][1].contains("published_loss"));
  EXPECT_FALSE(json["rows"][2].contains("gain"));  // the baseline
  EXPECT_EQ(json["verdict"].size(), answer.verdict.size());
}

TEST(Ablation, UnknownEndsAreABug) {
  Ablation ablation = golden_ablation(3);
  ablation.reference = "muon";
  EXPECT_THROW(answer_ablation(ablation), base::Bug);
}

}  // namespace
}  // namespace muonlab::study
