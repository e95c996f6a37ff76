// train.seconds: the steps that fill it are measured once, when the run begins.
#include "run/fill_seconds.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"
#include "run/start.hpp"

namespace muonlab::run {
namespace {

// Of a new run.
Prepared begun_with(std::vector<std::string> settings) {
  const base::TemporaryFolder folder;
  Prepared prepared = prepare_small(settings);
  find_start(record::RunFolder(folder.path()), "", prepared, base::real_file_system());
  return prepared;
}

TEST(FillSeconds, TheStepsTakeTheTimeThatWasAskedFor) {
  double seconds = 0;
  // Other programs disturb both measurements.
  for (int attempt = 0; attempt < 3 && (seconds < 0.2 || seconds > 5); ++attempt) {
    const Prepared prepared = begun_with({"train.seconds=1"});
    const int64_t steps = *prepared.config.train.steps;
    EXPECT_EQ(prepared.plan.steps, steps);
    EXPECT_EQ(prepared.plan.tokens, steps * 4 * 16);
    Session session(begun_with({"train.steps=100000"}));
    const base::Stopwatch watch;
    for (int64_t i = 0; i < steps; ++i) train::train_step(session.trainer());
    seconds = watch.seconds();
  }
  EXPECT_GT(seconds, 0.2);
  EXPECT_LT(seconds, 5);
}

TEST(FillSeconds, AStepAtLeastAndAGrowingBatchCountsItsSmallSteps) {
  EXPECT_GE(*begun_with({"train.seconds=1e-9"}).config.train.steps, 1);
  // So long that the stage ends: its steps of 2 samples are half as long as those of 4.
  const Prepared ramp =
      begun_with({"train.seconds=4", R"(train.batch_ramp=[{"batch":2,"steps":10}])"});
  const int64_t samples = ramp.plan.batches.samples(0, ramp.plan.steps);
  EXPECT_EQ(samples, 10 * 2 + (ramp.plan.steps - 10) * 4);
}

TEST(FillSeconds, TheRunThatFollowsIsTheOneOfThatManySteps) {
  const base::TemporaryFolder folder;
  const record::RunFolder run(folder.path());
  Prepared prepared = prepare_small({"train.seconds=0.05"});
  find_start(run, "", prepared, base::real_file_system());
  const int64_t steps = *prepared.config.train.steps;
  const config::RunConfig resolved = prepared.config;
  const auto weights = [](Prepared made) {
    Session session(std::move(made));
    train::train_step(session.trainer());
    return session.trainer().arena.values().clone();
  };
  const at::Tensor measured = weights(std::move(prepared));
  EXPECT_TRUE(measured.equal(weights(prepare_small({"train.steps=" + std::to_string(steps)}))));
  // What is stored keeps both, and what a user writes may not.
  const std::string dumped = config::dump_config(resolved);
  EXPECT_EQ(config::parse_stored_config(dumped, "resolved.json").run, resolved);
  EXPECT_THROW(config::parse_config(dumped, "mine.json"), base::Error);
}

class ResumedSeconds : public testing::Test {
 protected:
  // A run of 0.5 s whose start found `steps`, at its beginning.
  ResumedSeconds() : run_(folder_.path()) {
    Prepared prepared = prepare_small({"train.seconds=0.5"});
    prepared.config.train.steps = 120;
    save(std::move(prepared));
  }
  void save(Prepared prepared) {
    Session session(std::move(prepared));
    train::save_checkpoint(session.trainer(), {base::real_file_system(), run_.checkpoints(), 0});
  }
  int64_t resumed_with(const std::string& setting) {
    Prepared prepared = prepare_small({setting});
    find_start(run_, "", prepared, base::real_file_system());
    EXPECT_EQ(prepared.plan.steps, *prepared.config.train.steps);
    return prepared.plan.steps;
  }

  const base::TemporaryFolder folder_;
  record::RunFolder run_;
};

TEST_F(ResumedSeconds, KeepTheStepsThatWereMeasured) {
  EXPECT_EQ(resumed_with("train.seconds=0.5"), 120);
  EXPECT_EQ(resumed_with("train.seconds=1"), 240) << "at the speed of the beginning";
  EXPECT_EQ(resumed_with("train.steps=50"), 50);
}

// The seconds of a branch are for the steps behind the one that it was branched at.
TEST_F(ResumedSeconds, LeaveTheStepsBeforeABranchAlone) {
  base::write_atomically(run_.origin(), R"({"from":"a@40","checkpoint":"a/x","step":40})");
  EXPECT_EQ(resumed_with("train.seconds=0.5"), 120);
  EXPECT_EQ(resumed_with("train.seconds=1"), 40 + 2 * 80);
  EXPECT_EQ(resumed_with("train.seconds=1e-9"), 41) << "a step at least";
}

TEST_F(ResumedSeconds, RefuseARunThatBeganWithSteps) {
  save(prepare_small({"train.steps=30"}));
  try {
    resumed_with("train.seconds=1");
    FAIL() << "resumed";
  } catch (const base::Error& error) {
    EXPECT_NE(std::string(error.what()).find("set train.steps"), std::string::npos) << error.what();
  }
}

TEST(FillSeconds, SeveralProcessesAreRefused) {
  Prepared prepared = prepare_small({"train.seconds=1"});
  prepared.processes = 2;
  EXPECT_THROW(fill_seconds(prepared), base::Error);
}

}  // namespace
}  // namespace muonlab::run
