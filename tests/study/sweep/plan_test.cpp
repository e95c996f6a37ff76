#include "muonlab/study/sweep/plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::study {
namespace {

constexpr const char* kBase = R"({
  "threads": 1,
  "optimizers": {"muon": {"rule": "muon", "lr": 0.02}, "adam": {"rule": "adamw"}, "embed": {"rule": "adamw"}},
  "assign": [{"params": ["matrices"], "optimizer": "muon"}, {"params": ["all"], "optimizer": "embed"}],
  "train": {"steps": 10}
})";
constexpr const char* kRows = R"("row": {
    "adam": {"assign": [{"params": ["matrices"], "optimizer": "adam"}, {"params": ["all"], "optimizer": "embed"}]},
    "qk": {"assign": [{"params": ["qk"], "optimizer": "muon"}, {"params": ["matrices"], "optimizer": "adam"}, {"params": ["all"], "optimizer": "embed"}]},
    "all": {"assign": [{"params": ["matrices"], "optimizer": "muon"}, {"params": ["all"], "optimizer": "embed"}]}})";

class Sweep {
 public:
  explicit Sweep(const std::string& rest) {
    base::write_atomically(folder_ / "base.json", kBase);
    const std::string text = base::str(
        R"({"base": "base.json", "compare": {"axis": "row", "baseline": "adam", "reference": "all"}, )",
        rest, "}");
    base::write_atomically(folder_ / "sweep.json", text);
    planner_.emplace(config::load_sweep(folder_ / "sweep.json"));
  }
  SweepPlan plan(const LossOf& loss_of) { return planner_->plan(loss_of); }
  SweepPlan outline(const LossOf& loss_of) { return planner_->outline(loss_of); }

 private:
  base::TemporaryFolder folder_;
  std::optional<SweepPlanner> planner_;
};

const LossOf kNothingKnown = [](const Cell&) { return std::optional<double>(); };

std::vector<std::string> names(const SweepPlan& plan) {
  std::vector<std::string> list;
  for (const Cell& cell : plan.cells) list.push_back(cell.name);
  return list;
}

double rate(const Cell& cell, const std::string& optimizer) {
  return std::visit([](const auto& rule) { return rule.lr; }, cell.config.optimizers.at(optimizer));
}

TEST(SweepPlan, IsTheGridInOrderNamedByWhatDiffers) {
  Sweep sweep(base::str(R"("axes": {"width": {"path": "model.width", "values": [64, 128]}, )",
                        kRows, R"(}, "seeds": [1, 2])"));
  const SweepPlan plan = sweep.plan(kNothingKnown);
  ASSERT_EQ(plan.cells.size(), 12u);
  EXPECT_EQ(plan.cells[0].name, "width_64-adam-s1");
  EXPECT_EQ(plan.cells[11].name, "width_128-all-s2");
  EXPECT_EQ(plan.cells[11].config.model.width, 128);
  EXPECT_EQ(plan.cells[11].config.seed, 2);
  EXPECT_EQ(plan.cells[11].config.name, plan.cells[11].name);
  EXPECT_EQ(plan.points[11].block, "width 128");
  EXPECT_EQ(plan.points[11].row, "all");
  EXPECT_EQ(plan.cells[0].config.checkpoint.final, config::FinalCheckpoint::weights);
  // An optimizer that a row does not use is no mistake there, and not part of it.
  EXPECT_FALSE(plan.cells[0].config.optimizers.contains("muon"));
}

TEST(SweepPlan, EqualConfigurationsAreOneRun) {
  Sweep sweep(base::str(R"("axes": {"protocol": {"a": {}, "b": {"optimizers.muon.lr": 0.05}}, )",
                        kRows, "}"));
  const SweepPlan plan = sweep.plan(kNothingKnown);
  EXPECT_EQ(plan.points.size(), 6u);
  // Without Muon its rate changes nothing: the rows of all Adam are one run.
  EXPECT_EQ(names(plan),
            (std::vector<std::string>{"a-adam-s1", "a-qk-s1", "a-all-s1", "b-qk-s1", "b-all-s1"}));
  EXPECT_EQ(plan.points[3].row, "adam");
  EXPECT_EQ(plan.points[3].cell, 0u);
}

TEST(SweepPlan, RunsChooseRowsAndSeedsInTheirOrder) {
  Sweep sweep(base::str(
      "\"axes\": {", kRows,
      R"(}, "seeds": [1], "runs": [{"only": {"row": ["all", "adam"]}, "seeds": [7, 8]}, {}])"));
  EXPECT_EQ(names(sweep.plan(kNothingKnown)),
            (std::vector<std::string>{"adam-s7", "adam-s8", "all-s7", "all-s8", "adam-s1", "qk-s1",
                                      "all-s1"}));
}

// A search whose best is at 0.008, beyond the grid's edge; then one at the found rate.
TEST(SweepPlan, RatesAreSearchedFirstAndTheGridGrowsAtItsEdge) {
  Sweep sweep(base::str("\"axes\": {", kRows, R"(}, "tune": [
    {"at": {"row": "adam"}, "path": ["optimizers.adam.lr", "optimizers.embed.lr"], "grid": [0.001, 0.002]},
    {"at": {"row": "all"}, "path": "optimizers.muon.lr", "grid": [0.01, 0.02, 0.04]}])"));
  std::set<std::string> run;
  const auto loss = [](const Cell& cell) {
    const bool adam = cell.config.optimizers.contains("adam");
    const double best = adam ? 0.008 : 0.02;
    return std::abs(std::log(rate(cell, adam ? "adam" : "muon") / best));
  };
  const LossOf known = [&](const Cell& cell) {
    return run.contains(cell.name) ? std::optional(loss(cell)) : std::nullopt;
  };

  SweepPlan plan = sweep.plan(known);
  EXPECT_EQ(names(plan),
            (std::vector<std::string>{"tune-adam-adam.lr_0.001", "tune-adam-adam.lr_0.002"}));
  EXPECT_EQ(plan.num_waiting, 3);
  // the middle of the grids stands in, so two of three rows are trials
  EXPECT_EQ(sweep.outline(known).cells.size(), 2u + 3u + 1u);

  for (int round = 0; round < 20 && plan.num_waiting > 0; ++round) {
    for (const Cell& cell : plan.cells) run.insert(cell.name);
    plan = sweep.plan(known);
  }
  ASSERT_EQ(plan.searches.size(), 2u);
  EXPECT_EQ(plan.searches[0].best, (std::vector<double>{0.008}));
  EXPECT_EQ(plan.searches[0].rates[0].grid,
            (std::vector<double>{0.001, 0.002, 0.004, 0.008, 0.016}));
  EXPECT_FALSE(plan.searches[0].at_edge);
  EXPECT_EQ(plan.searches[1].best, (std::vector<double>{0.02}));
  ASSERT_EQ(plan.points.size(), 3u);
  const Cell& qk = plan.cells[plan.points[1].cell];
  EXPECT_EQ(rate(qk, "adam"), 0.008);  // every row keeps the rates that were found
  EXPECT_EQ(rate(qk, "embed"), 0.008);
  EXPECT_EQ(rate(qk, "muon"), 0.02);
  // The best trials are rows of the table, not run again.
  EXPECT_EQ(plan.cells[plan.points[0].cell].name, "tune-adam-adam.lr_0.008");
  EXPECT_EQ(plan.cells[plan.points[2].cell].name, "tune-all-muon.lr_0.02");
}

// Each row keeps what its own search found, and a row whose search is done does not wait for
// others.
TEST(SweepPlan, RowsMayHaveSearchesOfTheirOwn) {
  Sweep sweep(base::str("\"axes\": {", kRows, R"(}, "tune": [
    {"at": {"row": ["adam", "all"]}, "search": "coordinates", "seed": 9, "rates": [
      {"path": "optimizers.embed.lr", "grid": [0.001, 0.002, 0.004]},
      {"path": "optimizers.muon.lr", "grid": [0.01, 0.02]}]}])"));
  const auto is_adam = [](const Cell& cell) { return !cell.config.optimizers.contains("muon"); };
  const auto loss = [&](const Cell& cell) {
    return std::abs(std::log(rate(cell, "embed") / (is_adam(cell) ? 0.001 : 0.004)));
  };
  const SweepPlan first = sweep.plan([&](const Cell& cell) {
    return cell.tuning && is_adam(cell) ? std::optional(loss(cell)) : std::nullopt;
  });
  ASSERT_EQ(first.searches.size(), 2u);
  EXPECT_TRUE(first.searches[0].own_rates);
  // Muon's rate means nothing to all Adam: its neighbours are the same run.
  EXPECT_EQ(first.searches[0].best->at(0), 0.001);
  EXPECT_EQ(first.num_waiting, 1);  // "all"; "qk" has no search and does not wait
  EXPECT_GT(first.max_more_trials, 40);
  ASSERT_EQ(first.points.size(), 2u);
  EXPECT_EQ(rate(first.cells[first.points[0].cell], "embed"), 0.001);
  EXPECT_EQ(rate(first.cells[first.points[1].cell], "embed"), 0.001);  // the rule's default
  const SweepPlan whole = sweep.plan([&](const Cell& cell) { return std::optional(loss(cell)); });
  EXPECT_EQ(whole.num_waiting, 0);
  EXPECT_EQ(rate(whole.cells[whole.points[2].cell], "embed"), 0.004);
  EXPECT_EQ(whole.max_more_trials, 0);
}

TEST(SweepPlan, AGridThatNeverEndsIsGivenUpAndSaidSo) {
  Sweep sweep(base::str("\"axes\": {", kRows,
                        R"(}, "tune": {"path": "optimizers.adam.lr", "grid": [0.001, 0.01]})"));
  const LossOf falls = [](const Cell& cell) {
    return std::optional(cell.tuning ? -rate(cell, "adam") : 0.0);
  };
  const SweepPlan plan = sweep.plan(falls);
  EXPECT_TRUE(plan.searches[0].at_edge);
  EXPECT_EQ(plan.searches[0].rates[0].grid.size(), 6u);
}

TEST(SweepPlan, ADivergedTrialIsTheWorstAndWhereAllDivergeNoneIsTaken) {
  Sweep sweep(
      base::str("\"axes\": {", kRows,
                R"(}, "tune": {"path": "optimizers.adam.lr", "grid": [0.001, 0.01, 0.1]})"));
  constexpr double kDiverged = std::numeric_limits<double>::infinity();
  const LossOf high_diverges = [&](const Cell& cell) {
    return std::optional(cell.tuning && rate(cell, "adam") > 0.05
                             ? kDiverged
                             : std::abs(std::log(rate(cell, "adam") / 0.01)));
  };
  EXPECT_EQ(sweep.plan(high_diverges).searches[0].best, (std::vector<double>{0.01}));
  const LossOf all_diverge = [&](const Cell&) { return std::optional(kDiverged); };
  const SweepPlan none = sweep.plan(all_diverge);
  EXPECT_TRUE(none.searches[0].all_diverged);
  EXPECT_FALSE(none.searches[0].best);
  EXPECT_EQ(none.searches[0].rates[0].grid.size(), 3u);  // not extended towards what diverged
  EXPECT_EQ(none.num_waiting, 3);                        // and no row runs on a guess
}

// Two rates of which the higher one diverges: the grid grows at the lower end alone.
TEST(SweepPlan, AGridIsNotExtendedTowardsRatesThatDiverge) {
  Sweep sweep(base::str("\"axes\": {", kRows,
                        R"(}, "tune": {"path": "optimizers.adam.lr", "grid": [0.01, 0.1]})"));
  const LossOf loss = [](const Cell& cell) {
    const double lr = cell.tuning ? rate(cell, "adam") : 0;
    return std::optional(lr > 0.05 ? std::numeric_limits<double>::infinity()
                                   : std::abs(std::log(lr / 0.01)));
  };
  const RateSearch search = sweep.plan(loss).searches[0];
  EXPECT_EQ(search.best, std::vector<double>{0.01});
  EXPECT_EQ(search.rates[0].grid, (std::vector<double>{0.001, 0.01, 0.1}));
}

// A search of [1, 1e300] has no room above, and rates one bit apart are different rates.
TEST(SweepPlan, RatesAreExactAndTheirCellsHaveNamesOfTheirOwn) {
  const double next = std::nextafter(0.0012345678, 1);
  Sweep sweep(base::str("\"axes\": {", kRows,
                        R"(}, "tune": {"path": "optimizers.adam.lr", "grid": [0.0012345678, )",
                        base::exact(next), "]}"));
  const SweepPlan plan = sweep.plan(kNothingKnown);
  ASSERT_EQ(plan.cells.size(), 2u);
  EXPECT_EQ(plan.cells[0].name, "tune-adam-adam.lr_0.0012345678");
  EXPECT_NE(plan.cells[0].name, plan.cells[1].name);
  EXPECT_EQ(rate(plan.cells[0], "adam"), 0.0012345678);
  EXPECT_EQ(rate(plan.cells[1], "adam"), next);

  Sweep large(base::str("\"axes\": {", kRows,
                        R"(}, "tune": {"path": "optimizers.adam.lr", "grid": [1, 1e300]})"));
  const LossOf falls = [](const Cell& cell) {
    return std::optional(cell.tuning ? -rate(cell, "adam") : 0.0);
  };
  const RateSearch search = large.plan(falls).searches[0];
  EXPECT_EQ(search.best, std::vector<double>{1e300});
  EXPECT_TRUE(search.at_edge);
  EXPECT_EQ(search.rates[0].grid.size(), 2u);

  // Where the ratio is near 1, three digits would not tell the new rate from the edge.
  Sweep fine(base::str("\"axes\": {", kRows,
                       R"(}, "tune": {"path": "optimizers.adam.lr", "grid": [1, 1.0001]})"));
  const std::vector<double> grid = fine.plan(falls).searches[0].rates[0].grid;
  ASSERT_EQ(grid.size(), 6u);
  EXPECT_TRUE(std::is_sorted(grid.begin(), grid.end()));
  EXPECT_NEAR(grid[2], 1.00020001, 1e-12);
}

// Both stages begin with a trial called "start", at what the first one found the second time.
TEST(SweepPlan, TrialsOfTwoStagesAtOneRowHaveNamesOfTheirOwn) {
  Sweep sweep(base::str("\"axes\": {", kRows, R"(}, "tune": [
    {"at": {"row": "adam"}, "search": "coordinates", "path": "optimizers.embed.lr", "grid": [1, 2, 4]},
    {"at": {"row": "adam"}, "search": "coordinates", "path": "optimizers.adam.lr", "grid": [1, 2, 4]}])"));
  const LossOf loss = [](const Cell& cell) {
    return std::optional(std::abs(rate(cell, "embed") - 2.5) + std::abs(rate(cell, "adam") - 3.5));
  };
  const SweepPlan plan = sweep.plan(loss);
  ASSERT_EQ(plan.searches.size(), 2u);
  EXPECT_EQ(plan.searches[0].best, std::vector<double>{2});
  EXPECT_EQ(plan.searches[1].best, std::vector<double>{4});
  const std::vector<std::string> list = names(plan);
  EXPECT_EQ(std::set<std::string>(list.begin(), list.end()).size(), list.size());
  const Cell& second = plan.cells[plan.searches[1].trials[0].cell];
  EXPECT_EQ(second.name, "tune-adam-start-2");
  EXPECT_EQ(second.config.name, second.name);
}

TEST(SweepPlan, ARungIsShorterThanTheRuns) {
  const auto problem = [](const std::string& train, const std::string& rungs) {
    base::TemporaryFolder folder;
    std::string base_text = kBase;
    base_text.replace(base_text.find("{\"steps\": 10}"), 13, train);
    base::write_atomically(folder / "base.json", base_text);
    base::write_atomically(
        folder / "sweep.json",
        base::str(
            R"({"base": "base.json", "settings": {"model.context": 64}, "axes": {)", kRows,
            R"(}, "compare": {"axis": "row", "baseline": "adam", "reference": "all"}, "tune": )"
            R"({"at": {"row": "adam"}, "path": "optimizers.adam.lr", "grid": [0.1, 0.2], )"
            R"("search": "halving", "rungs": )",
            rungs, "}}"));
    SweepPlanner planner(config::load_sweep(folder / "sweep.json"));
    try {
      planner.plan(kNothingKnown);
    } catch (const config::ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string steps = R"({"steps": 10})", tokens = R"({"tokens": 1000, "batch": 4})";
  EXPECT_EQ(problem(steps, "[5, 9]"), "");
  EXPECT_NE(problem(steps, "[5, 10]").find("rungs go up to 10 steps, but the runs have 10"),
            std::string::npos);
  EXPECT_EQ(problem(tokens, "[3]"), "");
  EXPECT_NE(problem(tokens, "[3, 4]").find("the runs have 4"), std::string::npos);
}

TEST(SweepPlan, SeedsAreThoseOfTheBaseWhereNoneAreGiven) {
  const auto names_with = [](const std::string& seeds) {
    base::TemporaryFolder folder;
    std::string base_text = kBase;
    base_text.insert(base_text.find("\"threads\""), "\"seed\": 9, ");
    base::write_atomically(folder / "base.json", base_text);
    base::write_atomically(folder / "sweep.json", base::str(R"({"base": "base.json", )", seeds,
                                                            "\"axes\": {", kRows, "}}"));
    SweepPlanner planner(config::load_sweep(folder / "sweep.json"));
    const SweepPlan plan = planner.plan(kNothingKnown);
    EXPECT_EQ(plan.points[0].seed, plan.cells[0].config.seed);
    return names(plan);
  };
  EXPECT_EQ(names_with(""), (std::vector<std::string>{"adam-s9", "qk-s9", "all-s9"}));
  EXPECT_EQ(names_with("\"seeds\": [2], ")[0], "adam-s2");
}

// All at once, each with its place in the sweep file.
TEST(SweepPlan, SettingsThatMakeNoConfigurationAreAllNamed) {
  Sweep sweep(base::str(
      R"("axes": {"size": {"small": {"train.batch": "x"}, "wide": {"model.widht": 64}}, )", kRows,
      "}"));
  const std::string error = base::error_of([&] { sweep.plan(kNothingKnown); });
  EXPECT_NE(error.find("sweep.json:1:119: train.batch: expected an integer, got the string \"x\" "
                       "(cell small-adam-s1 and 2 others)"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("sweep.json:1:149: model: unknown key \"widht\"; did you mean \"width\"? "
                       "(cell wide-adam-s1 and 2 others)"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("2 errors; nothing was started."), std::string::npos) << error;
}

TEST(SweepPlan, AProblemOfTheBaseIsSaidOnce) {
  Sweep sweep(base::str(R"("settings": {"optimizers.adam.lr": -1}, "axes": {)", kRows, "}"));
  const std::string error = base::error_of([&] { sweep.plan(kNothingKnown); });
  EXPECT_NE(error.find("optimizers.adam.lr: -1 is below the minimum 0 (cell "), std::string::npos)
      << error;
  EXPECT_NE(error.find("1 error; nothing was started."), std::string::npos) << error;
}

}  // namespace
}  // namespace muonlab::study
