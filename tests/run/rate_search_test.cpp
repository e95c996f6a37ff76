#include "muonlab/run/rate_search.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/temporary_folder.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"

namespace muonlab::run {
namespace {

// A loss that falls around 10^-1 and rises again around 10^1, smooth as it is.
std::vector<RatePoint> valley(int count) {
  std::vector<RatePoint> points;
  for (int i = 0; i < count; ++i) {
    const double log_factor = -2.0 + 4.0 * i / (count - 1);
    const double loss =
        5 - 1.5 * std::tanh(3 * (log_factor + 1)) + 2 * std::exp(2 * log_factor - 3);
    points.push_back({std::pow(10.0, log_factor), loss, loss});
  }
  return points;
}

TEST(RateSearch, ProposesTwiceTheFactorWhereTheLossFallsFastest) {
  const RateProposal proposal = propose_rate(valley(101));
  EXPECT_NEAR(proposal.steepest, 0.1, 0.01);
  EXPECT_DOUBLE_EQ(proposal.factor, 2 * proposal.steepest);
  EXPECT_TRUE(proposal.inside);
}

TEST(RateSearch, ATestThatEndsTooEarlyOrOnlyRisesSaysSo) {
  std::vector<RatePoint> points = valley(101);
  points.resize(24);  // before the loss falls fastest
  EXPECT_FALSE(propose_rate(points).inside);
  std::vector<RatePoint> rising;
  for (int i = 0; i < 40; ++i) rising.push_back({1.0 + i, 5.0 + i, 5.0 + i});
  EXPECT_FALSE(propose_rate(rising).inside);
}

TEST(RateSearch, TheRatesGrowAndNothingElseOfTheRunChanges) {
  const config::RunConfig config = config::parse_config(R"({"name": "t", "threads": 1,
        "data": {"kind": "biographies", "m": 2, "tokenizer": {"kind": "byte"}},
        "model": {"layers": 1, "width": 32, "heads": 2, "context": 32},
        "schedule": {"kind": "cosine", "warmup": 3},
        "train": {"steps": 5, "batch": 2}})",
                                                        "t")
                                       .run;
  const RateRange range{.low = 0.1, .high = 10, .steps = 21};
  std::vector<double> factors;
  const std::vector<RatePoint> points =
      test_rates(config, range, [&](const RatePoint& point) { factors.push_back(point.factor); });
  ASSERT_EQ(points.size(), 21u);
  ASSERT_EQ(factors.size(), 21u);
  EXPECT_DOUBLE_EQ(factors.front(), 0.1);
  EXPECT_NEAR(factors[10], 1.0, 1e-12);
  EXPECT_NEAR(factors.back(), 10.0, 1e-12);
  EXPECT_LT(points.back().loss, points.front().loss - 0.1);
  EXPECT_EQ(constant_rates(config, range).train.steps, 21);
  EXPECT_TRUE(
      std::holds_alternative<config::ConstantSchedule>(constant_rates(config, range).schedule));
}

TEST(RateSearch, BeginsWithTheWeightsThatTheRunBeginsWith) {
  const base::TemporaryFolder folder;
  Session session(prepare_small({"train.steps=40"}));
  for (int i = 0; i < 40; ++i) train::train_step(session.trainer());
  const std::string trained =
      train::save_checkpoint(session.trainer(), {base::real_file_system(), folder.path(), 40});
  const auto first_loss = [](const std::vector<std::string>& settings) {
    const config::RunConfig config = config::parse_config(kSmallRun, "small.json", settings).run;
    return test_rates(config, {.low = 0.1, .high = 1, .steps = 2}, [](const RatePoint&) {})
        .front()
        .loss;
  };
  EXPECT_LT(first_loss({"init={\"from\":\"" + trained + "\"}"}), first_loss({}) - 0.5);
}

}  // namespace
}  // namespace muonlab::run
