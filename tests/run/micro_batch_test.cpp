// train.micro_batch "auto": the number that a run began with is the one that it resumes with.
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "run/small_session.hpp"
#include "run/start.hpp"

namespace muonlab::run {
namespace {

class MicroBatch : public testing::Test {
 protected:
  // A run whose checkpoint says a micro-batch of 2.
  MicroBatch() : run_folder_(folder_.path()) {
    Session session(prepare_small());
    train::save_checkpoint(session.trainer(),
                           {base::real_file_system(), run_folder_.checkpoints(), 0});
  }
  int64_t resumed_with(std::vector<std::string> settings) {
    Prepared prepared = prepare_small(settings);
    find_start(run_folder_, "", prepared, base::real_file_system());
    const config::TrainConfig& train = prepared.config.train;
    EXPECT_EQ(prepared.plan.micro_batch, *train.micro_batch);
    EXPECT_EQ(prepared.plan.num_micro_batches, train.batch / *train.micro_batch);
    EXPECT_EQ(train.reduction.has_value(), train.accumulates());
    return *train.micro_batch;
  }

  const base::TemporaryFolder folder_;
  record::RunFolder run_folder_;
};

TEST_F(MicroBatch, AutoIsANumberWhenTheRunBegins) {
  const Prepared fresh = prepare_small({"train.micro_batch=auto"});
  EXPECT_EQ(fresh.config.train.micro_batch, 4) << "the whole batch fits";
  EXPECT_EQ(fresh.plan.num_micro_batches, 1);
  // What is recorded is a run with this number, and nothing more.
  const std::string dumped = config::dump_config(fresh.config);
  EXPECT_EQ(dumped, config::dump_config(prepare_small({"train.micro_batch=4"}).config));
  EXPECT_EQ(config::parse_stored_config(dumped, "resolved.json").run, fresh.config);
}

TEST_F(MicroBatch, AutoDividesEveryStageAmongTheProcesses) {
  const auto chosen = [](const char* ramp, int processes) {
    const config::RunConfig run =
        config::parse_config(kSmallRun, "small.json",
                             {"train.batch=12", "train.micro_batch=auto", ramp})
            .run;
    return *prepare(run, 1, processes).config.train.micro_batch;
  };
  const char* none = "train.batch_ramp=null";
  const char* ramp = R"(train.batch_ramp=[{"batch":8,"steps":2}])";
  EXPECT_EQ(chosen(none, 1), 12);
  EXPECT_EQ(chosen(none, 2), 6);
  EXPECT_EQ(chosen(none, 3), 4);
  EXPECT_EQ(chosen(ramp, 1), 4);
  EXPECT_EQ(chosen(ramp, 2), 2);
  EXPECT_EQ(chosen(none, 5), 1) << "no number does; the start refuses the processes";
}

TEST_F(MicroBatch, AutoResumesWithTheNumberOfTheCheckpoint) {
  EXPECT_EQ(resumed_with({"train.micro_batch=auto"}), 2);
  EXPECT_EQ(resumed_with({"train.micro_batch=4"}), 4) << "a number that is asked for is taken";
  EXPECT_EQ(resumed_with({"train.micro_batch=auto", "train.batch=5"}), 5)
      << "2 does not divide the batch any more";
  EXPECT_EQ(resumed_with({"train.micro_batch=auto", "train.batch=8"}), 2);
}

}  // namespace
}  // namespace muonlab::run
