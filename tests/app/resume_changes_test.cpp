// Settings and builds that differ at a resume: listed, refused or allowed, and kept in the history.
#include <gtest/gtest.h>

#include <cstdlib>

#include "app/train_fixture.hpp"
#include "muonlab/record/history.hpp"

namespace muonlab {
namespace {

using support::Process;
using support::Result;
using support::run_program;
using support::slurp;

using ResumeChanges = support::TrainFixture;

TEST_F(ResumeChanges, ChangedSettingsAreListedAndClassed) {
  ASSERT_EQ(train({"--set", "train.steps=8"}).code, 0);
  const Result longer = train({"--set", "train.steps=12"});
  EXPECT_EQ(longer.code, 0) << longer.err;
  EXPECT_NE(longer.out.find("changed  train.steps 8 -> 12 (changes the schedule's end: allowed)"),
            std::string::npos)
      << longer.out;
  const Result other = train({"--set", "train.steps=16", "--set", "model.width=48"});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE((other.out + other.err).find("model.width 32 -> 48 (refused"), std::string::npos)
      << other.out << other.err;
  EXPECT_NE(other.err.find("--run-dir"), std::string::npos);
}

TEST_F(ResumeChanges, AChangeOfTheTrainingNeedsPermissionAndStaysInTheHistory) {
  ASSERT_EQ(train({"--set", "train.steps=8"}).code, 0);
  const std::vector<std::string> change{"--set", "train.steps=12", "--set",
                                        "optimizers.adam.lr=0.001"};
  const Result refused = train(change);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.out.find("changed  optimizers.adam.lr 0.003 -> 0.001 (changes the learning "
                             "rate from here on: needs --allow-change)"),
            std::string::npos)
      << refused.out;
  EXPECT_NE(refused.err.find("add --allow-change"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--run-dir NEW --from runs/tiny@8"), std::string::npos) << refused.err;
  const std::string history = scratch_ / "runs/tiny/history.jsonl";
  EXPECT_EQ(slurp(history).find("optimizers.adam.lr"), std::string::npos);

  std::vector<std::string> allowed = change;
  allowed.push_back("--allow-change");
  ASSERT_EQ(train(allowed).code, 0);
  const record::History kept = record::read_history(history);
  ASSERT_EQ(kept.starts.size(), 2u);
  ASSERT_EQ(kept.changed().size(), 1u);
  EXPECT_EQ(kept.changed()[0].step, 8);
  ASSERT_TRUE(kept.end);
  EXPECT_EQ(kept.end->outcome, record::RunOutcome::finished);
  EXPECT_EQ(kept.end->step, 12);
}

// The run with more steps would have had the same rates so far: one command makes it.
TEST_F(ResumeChanges, ALongerRunWithAConstantRateIsNoMixedRun) {
  const std::vector<std::string> constant{"--set", "schedule={\"kind\":\"constant\"}"};
  const auto train_to = [&](const char* steps) {
    std::vector<std::string> settings = constant;
    settings.insert(settings.end(), {"--set", std::string("train.steps=") + steps});
    return train(settings);
  };
  ASSERT_EQ(train_to("8").code, 0);
  const Result longer = train_to("12");
  ASSERT_EQ(longer.code, 0) << longer.err;
  EXPECT_NE(longer.out.find("changed  train.steps 8 -> 12 (leaves the learning rates of all steps "
                            "so far as they were: allowed)"),
            std::string::npos)
      << longer.out;
  const std::string history = scratch_ / "runs/tiny/history.jsonl";
  EXPECT_TRUE(record::read_history(history).changed().empty());
  ASSERT_EQ(train({"--set", "train.steps=16", "--allow-change"}).code, 0) << "the cosine's rates";
  EXPECT_EQ(record::read_history(history).changed().size(), 1u);
  EXPECT_NE(run_program(scratch_.path(), {"runs"}).out.find("changed at step 12: "),
            std::string::npos);
}

TEST_F(ResumeChanges, OptimizersMayChangeWithPermission) {
  ASSERT_EQ(train({"--set", "train.steps=8"}).code, 0);
  const std::vector<std::string> other{
      "--set",
      "train.steps=12",
      "--set",
      R"(assign=[{"params":["vo"],"optimizer":"muon"},{"params":["all"],"optimizer":"adam"}])",
      "--set",
      "optimizers.adam.betas=[0.9,0.99]"};
  EXPECT_EQ(train(other).code, 1);
  std::vector<std::string> allowed = other;
  allowed.push_back("--allow-change");
  const Result result = train(allowed);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("start at zero"), std::string::npos) << result.out;
  EXPECT_NE(slurp(scratch_ / "runs/tiny/metrics.jsonl").find("{\"step\":12,"), std::string::npos);
}

TEST_F(ResumeChanges, WhatWasAllowedStaysAllowedAfterAKill) {
  ASSERT_EQ(train({"--set", "train.steps=8"}).code, 0);
  Process process(scratch_.path(),
                  {"train", "--resume", "runs/tiny", "--set", "train.steps=100000", "--set",
                   "checkpoint.every=0", "--set", "optimizers.adam.lr=0.001", "--allow-change"});
  ASSERT_TRUE(process.wait_for(scratch_ / "runs/tiny/metrics.jsonl", "\"step\":9,"));
  process.signal(SIGKILL);
  process.wait();
  const Result resumed =
      run_program(scratch_.path(), {"train", "--resume", "runs/tiny", "--set", "train.steps=12"});
  EXPECT_EQ(resumed.code, 0) << resumed.out << resumed.err;
}

TEST_F(ResumeChanges, OtherInstructionSetsAreSaidAndStored) {
  ASSERT_EQ(train({"--set", "train.steps=8"}).code, 0);
  ::setenv("MUONLAB_WITHOUT", "avx512f", 1);
  const Result resumed = train({"--set", "train.steps=12"});
  ::unsetenv("MUONLAB_WITHOUT");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.out.find("changed  build.without (unset) -> avx512f (rounding may differ"),
            std::string::npos)
      << resumed.out;
  EXPECT_NE(slurp(scratch_ / "runs/tiny/history.jsonl").find("\"build.without\""),
            std::string::npos);
  ASSERT_EQ(train({"--set", "train.steps=16"}).code, 0);
  EXPECT_EQ(record::read_history(scratch_ / "runs/tiny/history.jsonl").starts.size(), 3u);
}

}  // namespace
}  // namespace muonlab
