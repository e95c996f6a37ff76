// Branches that were killed before their first checkpoint begin again where they branched.
#include <gtest/gtest.h>

#include "app/train_fixture.hpp"

namespace muonlab {
namespace {

using support::Process;
using support::Result;
using support::run_program;
using support::slurp;

class BranchRestart : public support::TrainFixture {
 protected:
  void SetUp() override {
    ASSERT_EQ(train({"--run-dir", "base", "--set", "checkpoint.permanent_every=8"}).code, 0);
    Process process(scratch_.path(),
                    {"train", "tiny.json", "--run-dir", "branch", "--from", "base@16", "--set",
                     "train.steps=100000", "--set", "checkpoint.every=50000"});
    ASSERT_TRUE(process.wait_for(scratch_ / "branch/metrics.jsonl", "\"step\":17,"));
    process.signal(SIGKILL);
    process.wait();
  }
  Result resume() {
    return run_program(scratch_.path(), {"train", "--resume", "branch", "--set", "train.steps=30",
                                         "--set", "checkpoint.every=4"});
  }
  void expect_branched_again(const Result& again) {
    ASSERT_EQ(again.code, 0) << again.err;
    EXPECT_NE(again.out.find("branches again from base/checkpoints/step-00000016"),
              std::string::npos)
        << again.out;
    EXPECT_NE(again.err.find("starts over at step 16"), std::string::npos) << again.err;
    ASSERT_EQ(train({"--run-dir", "straight", "--from", "base@16"}).code, 0);
    expect_equal_runs("straight", "branch");
    EXPECT_EQ(slurp(scratch_ / "straight/origin.json"), slurp(scratch_ / "branch/origin.json"));
  }
  void expect_refused(const std::string& why) {
    const std::string metrics = slurp(scratch_ / "branch/metrics.jsonl");
    const Result refused = resume();
    EXPECT_EQ(refused.code, 1) << refused.out;
    EXPECT_NE(refused.err.find(why), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("--from"), std::string::npos) << refused.err;
    EXPECT_EQ(slurp(scratch_ / "branch/metrics.jsonl"), metrics) << "the record is left alone";
  }
};

TEST_F(BranchRestart, AResumeBranchesAgain) { expect_branched_again(resume()); }

TEST_F(BranchRestart, SoDoesItsCommandWithoutFrom) {
  expect_branched_again(train({"--run-dir", "branch"}));
}

TEST_F(BranchRestart, WithoutItsCheckpointItIsRefused) {
  std::filesystem::remove_all(final_checkpoint("base", "00000016"));
  expect_refused(
      "branch: has no checkpoint of its own, and base/checkpoints/step-00000016, from "
      "which it was branched");
}

TEST_F(BranchRestart, AnotherCheckpointInItsPlaceIsRefused) {
  ASSERT_EQ(train({"--run-dir", "other", "--set", "train.steps=16", "--set", "seed=7"}).code, 0);
  std::filesystem::remove_all(final_checkpoint("base", "00000016"));
  std::filesystem::rename(final_checkpoint("other", "00000016"),
                          final_checkpoint("base", "00000016"));
  expect_refused("has changed since");
}

}  // namespace
}  // namespace muonlab
