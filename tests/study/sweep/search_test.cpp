// The searches of a sweep against losses that are known functions of the settings.
#include "study/sweep/search.hpp"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

namespace muonlab::study {
namespace {

config::RateGrid searched(const std::string& path, std::vector<double> grid, size_t start) {
  return {
      .paths = {path}, .grid = std::move(grid), .extends = path.ends_with(".lr"), .start = start};
}

// Runs a search as a sweep does: again and again, each time with the losses of all trials so far.
class Searched {
 public:
  using Loss = std::function<double(const TrialRequest&)>;
  Searched(const config::TuneStage& stage, const Loss& loss) {
    for (rounds = 0; rounds < 100; ++rounds) {
      search = {.block = {}, .row = "all", .rates = stage.rates};
      std::vector<std::string> wanted;
      run_search(stage, search, [&](const TrialRequest& trial) -> TrialAnswer {
        const auto [cell, is_new] = cells_.try_emplace(trial.name, cells_.size());
        if (is_new) losses_[trial.name] = loss(trial);
        if (is_new) return {cell->second, std::nullopt};
        return {cell->second, losses_[trial.name]};
      });
      if (search.best || search.all_diverged) break;
    }
  }
  std::vector<std::string> names() const {
    std::vector<std::string> list(cells_.size());
    for (const auto& [name, cell] : cells_) list[cell] = name;
    return list;
  }

  RateSearch search;
  int rounds = 0;

 private:
  std::map<std::string, size_t> cells_;
  std::map<std::string, double> losses_;
};

// Lowest at the given values, with a coupling of the first two settings.
double bowl(const std::vector<double>& rates, const std::vector<double>& best) {
  double sum = 0, product = 0.4;
  for (size_t i = 0; i < rates.size(); ++i) {
    const double away = std::log2(rates[i] / best[i]);
    sum += away * away;
    if (i < 2) product *= away;
  }
  return sum + product;
}

config::TuneStage two_rates() {
  config::TuneStage stage;
  stage.kind = config::SearchKind::coordinates;
  stage.rates = {searched("optimizers.adam.lr", {0.001, 0.002, 0.004}, 1),
                 searched("optimizers.embed.lr", {0.002, 0.004, 0.008}, 0)};
  return stage;
}

TEST(SweepSearch, CoordinateStepsEndWhereNoNeighbourIsBetterAndGrowTheGrid) {
  const Searched found(two_rates(), [](const auto& trial) {
    return bowl(trial.rates, {0.001, 0.064});
  });
  EXPECT_EQ(found.search.best, (std::vector<double>{0.001, 0.064}));
  EXPECT_FALSE(found.search.at_edge);
  EXPECT_EQ(found.search.rates[1].grid.back(), 0.128);  // one beyond the best, tried and worse
  EXPECT_EQ(found.names().front(), "-start");
  EXPECT_EQ(found.names()[1], "-adam.lr_0.001");
  // far fewer than the 5 x 8 of the grid that it would have taken
  EXPECT_LT(found.search.trials.size(), 16u);
}

// The optimum is four extensions away and more.
TEST(SweepSearch, CoordinateStepsSayWhenTheyEndAtAnEdge) {
  const Searched found(two_rates(), [](const auto& trial) { return -trial.rates[1]; });
  EXPECT_TRUE(found.search.at_edge);
  EXPECT_EQ(found.search.best->at(1), 0.128);
}

TEST(SweepSearch, CoordinateStepsKeepToTheirNumberOfRuns) {
  config::TuneStage stage = two_rates();
  stage.max_runs = 6;
  const Searched found(stage, [](const auto& trial) { return bowl(trial.rates, {0.001, 0.064}); });
  EXPECT_EQ(found.search.trials.size(), 6u);
  EXPECT_TRUE(found.search.out_of_runs);
  ASSERT_TRUE(found.search.best);
  double lowest = INFINITY;
  for (const Trial& trial : found.search.trials) lowest = std::min(lowest, *trial.loss);
  EXPECT_EQ(bowl(*found.search.best, {0.001, 0.064}), lowest);
}

TEST(SweepSearch, CoordinateStepsLeaveADivergedStart) {
  const auto loss = [](const TrialRequest& trial) {
    return trial.rates[0] > 0.0015 ? INFINITY : bowl(trial.rates, {0.001, 0.004});
  };
  EXPECT_EQ(Searched(two_rates(), loss).search.best, (std::vector<double>{0.001, 0.004}));
  const Searched none(two_rates(), [](const auto&) { return INFINITY; });
  EXPECT_TRUE(none.search.all_diverged);
  EXPECT_FALSE(none.search.best);
}

// A decay of 0 has nothing below it, and a momentum keeps to its grid.
TEST(SweepSearch, SettingsThatAreNoLearningRatesKeepToTheirGrid) {
  config::TuneStage stage;
  stage.kind = config::SearchKind::coordinates;
  stage.rates = {searched("optimizers.adam.decay", {0, 0.1, 0.3}, 1),
                 searched("optimizers.muon.momentum", {0.9, 0.95}, 0)};
  const Searched found(stage, [](const auto& t) { return t.rates[0] + t.rates[1]; });
  EXPECT_EQ(found.search.best, (std::vector<double>{0, 0.9}));
  EXPECT_EQ(found.search.rates[0].grid, stage.rates[0].grid);
  EXPECT_EQ(found.search.rates[1].grid, stage.rates[1].grid);
  EXPECT_TRUE(found.search.at_edge);  // of the momentum
  const Searched inside(stage, [](const auto& t) { return t.rates[0]; });
  EXPECT_EQ(inside.search.best->at(0), 0);
}

std::map<int64_t, int> runs_by_steps(const Searched& found) {
  std::map<int64_t, int> runs;
  for (const Trial& trial : found.search.trials) ++runs[trial.steps];
  return runs;
}

TEST(SweepSearch, HalvingPromotesTheBestOfEachRound) {
  config::TuneStage stage;
  stage.kind = config::SearchKind::halving;
  stage.rungs = {10, 20};
  stage.keep = 0.5;
  stage.rates = {searched("optimizers.adam.lr", {1, 2, 4, 8}, 0),
                 searched("optimizers.embed.lr", {1, 2}, 0)};
  // after 10 steps a large rate looks best, and rate 8 diverges later
  const Searched found(stage, [](const TrialRequest& t) {
    if (t.steps == 10) return 10 - t.rates[0] - 0.1 * t.rates[1];
    if (t.rates[0] == 8) return static_cast<double>(INFINITY);
    return bowl(t.rates, {2, 2});
  });
  EXPECT_EQ(found.search.best, (std::vector<double>{4, 2}));  // 2 was left behind after 10 steps
  EXPECT_EQ(runs_by_steps(found), (std::map<int64_t, int>{{10, 8}, {20, 4}, {0, 2}}));
  EXPECT_EQ(config::num_trials(stage), 8 + 4 + 2);
  EXPECT_EQ(found.names().front(), "-adam.lr_1-embed.lr_1-steps_10");
}

TEST(SweepSearch, TheLastOneLeftIsTakenWithoutARun) {
  config::TuneStage stage;
  stage.kind = config::SearchKind::halving;
  stage.rungs = {10, 20};
  stage.rates = {searched("optimizers.adam.lr", {1, 2, 4, 8, 16, 32, 64, 128, 256}, 0)};
  const auto loss = [](const TrialRequest& t) { return bowl(t.rates, {16}); };
  const Searched found(stage, loss);
  EXPECT_EQ(found.search.best, std::vector<double>{16});
  EXPECT_EQ(runs_by_steps(found), (std::map<int64_t, int>{{10, 9}, {20, 3}}));
  EXPECT_EQ(config::num_trials(stage), 9 + 3);

  stage.final_seeds = {7};  // to be compared over seeds it is needed
  EXPECT_EQ(runs_by_steps(Searched(stage, loss)),
            (std::map<int64_t, int>{{0, 2}, {10, 9}, {20, 3}}));
}

// The walk ends at 0.001 and 0.064, but over more steps half of that second rate is better.
TEST(SweepSearch, CoordinateStepsAtAShortLengthArePromoted) {
  config::TuneStage stage = two_rates();
  stage.rungs = {10, 20};
  stage.keep = 0.2;
  const Searched found(stage, [](const TrialRequest& t) {
    return bowl(t.rates, {0.001, t.steps == 10 ? 0.05 : 0.032});
  });
  EXPECT_EQ(found.search.best, (std::vector<double>{0.001, 0.032}));
  const auto runs = runs_by_steps(found);
  EXPECT_GT(runs.at(10), 8);
  EXPECT_EQ(runs.at(20), std::ceil(runs.at(10) * 0.2));
  EXPECT_EQ(runs.count(0), 0u) << "one was left";
  EXPECT_EQ(found.names().front(), "-start-steps_10");
  EXPECT_TRUE(has_effect(found.search, 0));
}

// A setting that changes nothing gives equal cells, which cost one run and tell of no edge.
TEST(SweepSearch, ASettingWithoutEffectIsNoEdge) {
  config::TuneStage stage;
  stage.kind = config::SearchKind::coordinates;
  stage.rates = {searched("optimizers.adam.lr", {1, 2, 4}, 1),
                 searched("optimizers.muon.momentum", {0.9, 0.95}, 1)};
  RateSearch search{.block = {}, .row = "adam", .rates = stage.rates};
  run_search(stage, search, [](const TrialRequest& t) -> TrialAnswer {
    return {static_cast<size_t>(t.rates[0]), std::abs(t.rates[0] - 2)};
  });
  EXPECT_EQ(search.best, (std::vector<double>{2, 0.95}));
  EXPECT_FALSE(search.at_edge);
  EXPECT_TRUE(has_effect(search, 0));
  EXPECT_FALSE(has_effect(search, 1));
}

// Losses over adam.lr and a setting without effect, whose trials are the same cells.
RateSearch without_effect(const config::TuneStage& stage) {
  RateSearch search{.block = {}, .row = "adam", .rates = stage.rates};
  run_search(stage, search, [](const TrialRequest& t) -> TrialAnswer {
    const double seed = t.seed ? 0.5 : 0;
    return {static_cast<size_t>(2 * (t.rates[0] + seed)), std::abs(t.rates[0] - 2)};
  });
  return search;
}

TEST(SweepSearch, AGridDoesNotGrowAlongASettingWithoutEffect) {
  config::TuneStage stage;
  stage.rates = {searched("optimizers.adam.lr", {1, 2, 4}, 1),
                 searched("optimizers.muon.lr", {0.001, 0.01, 0.1}, 1)};
  const RateSearch search = without_effect(stage);
  EXPECT_EQ(search.best, (std::vector<double>{2, 0.01})) << "what has no effect keeps its middle";
  EXPECT_EQ(search.rates[1].grid, stage.rates[1].grid);
  EXPECT_FALSE(search.at_edge);

  stage.kind = config::SearchKind::halving;
  stage.rungs = {5};
  stage.keep = 0.5;
  const RateSearch halved = without_effect(stage);
  EXPECT_EQ(halved.best, (std::vector<double>{2, 0.01}));
}

TEST(SweepSearch, FinalistsAreRunsThatDiffer) {
  config::TuneStage stage;
  stage.rates = {searched("optimizers.adam.lr", {1, 2, 4}, 1),
                 searched("optimizers.muon.lr", {0.001, 0.01, 0.1}, 1)};
  stage.finalists = 2;
  stage.final_seeds = {7};
  const RateSearch search = without_effect(stage);
  std::vector<std::vector<double>> repeated;
  for (const Trial& trial : search.trials) {
    if (trial.seed) repeated.push_back(trial.rates);
  }
  EXPECT_EQ(repeated, (std::vector<std::vector<double>>{{2, 0.01}, {1, 0.01}}));
}

TEST(SweepSearch, NoFinalistIsTakenWhereAllDivergeOnTheOtherSeeds) {
  config::TuneStage stage;
  stage.rates = {searched("optimizers.adam.lr", {1, 2, 4}, 0)};
  stage.finalists = 2;
  stage.final_seeds = {7};
  const Searched found(stage, [](const TrialRequest& t) {
    return t.seed ? static_cast<double>(INFINITY) : std::abs(t.rates[0] - 2);
  });
  EXPECT_TRUE(found.search.all_diverged);
  EXPECT_FALSE(found.search.best);
}

// The decay is at its edge until the rate has moved.
TEST(SweepSearch, AnEdgeOfAnEarlierRoundIsForgotten) {
  config::TuneStage stage;
  stage.rates = {searched("optimizers.adam.lr", {1, 2}, 0),
                 searched("optimizers.adam.decay", {0.1, 0.2, 0.4}, 0)};
  const Searched inside(stage, [](const TrialRequest& t) {
    const bool early = t.rates[0] == 2 && t.rates[1] == 0.4;
    return std::abs(t.rates[0] - 4) + std::abs(t.rates[1] - 0.2) - (early ? 1.5 : 0);
  });
  EXPECT_EQ(inside.search.best, (std::vector<double>{4, 0.2}));
  EXPECT_FALSE(inside.search.at_edge);
}

TEST(SweepSearch, CoordinateStepsTryTheWholeGridBeforeTheyGiveUp) {
  config::TuneStage stage;
  stage.kind = config::SearchKind::coordinates;
  stage.rates = {searched("optimizers.muon.lr", {1, 2}, 0),
                 searched("optimizers.adam.lr", {0.003, 10, 100, 1000}, 2)};
  const Searched found(stage, [](const TrialRequest& t) {
    return t.rates[1] > 1 ? static_cast<double>(INFINITY) : bowl(t.rates, {1, 0.003});
  });
  ASSERT_TRUE(found.search.best);
  EXPECT_EQ(*found.search.best, (std::vector<double>{1, 0.003}));
}

// The second best of one seed wins over three.
TEST(SweepSearch, FinalistsAreComparedOverAllSeeds) {
  config::TuneStage stage;
  stage.rates = {searched("optimizers.adam.lr", {1, 2, 4}, 0)};
  stage.finalists = 2;
  stage.final_seeds = {7, 8};
  const Searched found(stage, [](const TrialRequest& t) {
    const double luck = t.rates[0] == 2 && !t.seed ? -0.5 : 0;
    return std::abs(std::log2(t.rates[0] / 2.4)) * (t.rates[0] == 2 ? 4 : 1) + luck;
  });
  EXPECT_EQ(found.search.trials.size(), 3u + 2 * 2);
  EXPECT_EQ(found.names()[3], "-adam.lr_2-s7");
  EXPECT_EQ(found.search.best, std::vector<double>{4});
}

}  // namespace
}  // namespace muonlab::study
