// Batches that grow over a run: what is refused, and which step has which batch.
#include "config/support.hpp"
#include "muonlab/config/batch_sizes.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {
namespace {

using Stages = std::vector<BatchSizes::Stage>;

// Samples of 32 tokens, then what `train` says.
std::string ramp(const std::string& stages,
                 const std::string& train = R"("steps": 100, "batch": 8)",
                 const std::string& more = "") {
  return R"({"model": {"context": 32}, "train": {)" + train + R"(, "batch_ramp": [)" + stages +
         "]}" + more + "}";
}

Stages stages_of(const std::string& text) { return BatchSizes(parse(text)).stages(); }

TEST(BatchRamp, StagesHaveLengthsInStepsTokensAndShares) {
  const std::string three =
      R"({"batch": 2, "steps": 10}, {"batch": 4, "tokens": 1281}, {"batch": 6, "fraction": 0.2})";
  EXPECT_EQ(stages_of(ramp(three)), (Stages{{1, 2}, {11, 4}, {22, 6}, {42, 8}}))
      << "1,281 tokens are 10 steps of 128 and a part of one";
  // A share of a length in tokens is one of tokens: 512 of 2,560 are 8 steps of 64.
  EXPECT_EQ(stages_of(ramp(R"({"batch": 2, "fraction": 0.2})", R"("tokens": 2560, "batch": 4)")),
            (Stages{{1, 2}, {9, 4}}));
  EXPECT_EQ(stages_of(ramp(R"({"batch": 8, "steps": 10})")), (Stages{{1, 8}})) << "flat";
  EXPECT_EQ(stages_of(ramp(R"({"batch": 4, "fraction": 0.001})")), (Stages{{1, 8}})) << "no step";
  EXPECT_EQ(BatchSizes(parse(ramp(three))).text(),
            "2 in 10 steps, 4 in 11 steps, 6 in 20 steps, then 8");
}

TEST(BatchRamp, CountsSamplesAndStepsBothWays) {
  const BatchSizes sizes(parse(ramp(R"({"batch": 2, "steps": 3}, {"batch": 5, "steps": 4})")));
  const std::vector<int64_t> batches{2, 2, 2, 5, 5, 5, 5, 8, 8, 8};
  for (size_t first = 0; first < batches.size(); ++first) {
    int64_t sum = 0;
    for (size_t step = first; step < batches.size(); ++step) {
      EXPECT_EQ(sizes.at(static_cast<int64_t>(step + 1)), batches[step]);
      const int64_t before = sum;
      sum += batches[step];
      const auto done = static_cast<int64_t>(first), last = static_cast<int64_t>(step + 1);
      EXPECT_EQ(sizes.samples(done, last), sum);
      for (int64_t samples = before + 1; samples <= sum; ++samples)
        EXPECT_EQ(sizes.steps_for(samples, done), last - done) << samples << " after " << done;
    }
  }
  EXPECT_EQ(sizes.steps_for(0, 5), 0);
  EXPECT_EQ(sizes.steps_for(-17, 9), -2) << "steps too many";
  EXPECT_EQ(sizes.samples(4, 4), 0);
  EXPECT_EQ(sizes.samples(9, 4), 0);
}

TEST(BatchRamp, TheMicroBatchDividesEveryBatch) {
  EXPECT_EQ(
      parse(ramp(R"({"batch": 6, "steps": 5})", R"("steps": 100, "batch": 16)")).train.micro_batch,
      2)
      << "the default";
  expect_error(
      ramp(R"({"batch": 6, "steps": 5})", R"("steps": 100, "batch": 16, "micro_batch": $4)"),
      "train.micro_batch: a batch of train.batch_ramp is no multiple of 4; the divisor of "
      "all batches below is 2");
  EXPECT_TRUE(
      parse(ramp(R"({"batch": 4, "steps": 5})", R"("steps": 100, "batch": 8, "micro_batch": 4)"))
          .train.accumulates());
}

TEST(BatchRamp, WhatMakesNoRampIsRefused) {
  expect_error(ramp(R"(${"steps": 5})"), "train.batch_ramp[0]: batch is missing");
  const std::string length = "give its length by exactly one of steps, tokens, fraction";
  expect_error(ramp(R"(${"batch": 4})"), "train.batch_ramp[0]: " + length);
  expect_error(ramp(R"({"batch": 2, "steps": 1}, ${"batch": 4, "steps": 5, "tokens": 10})"),
               "train.batch_ramp[1]: " + length);
  expect_error(ramp(R"({"batch": $16, "steps": 5})"),
               "train.batch_ramp[0].batch: 16 is above the 8 of train.batch, which follows; a ramp "
               "does not fall");
  expect_error(ramp(R"({"batch": $4, "steps": 5}, {"batch": 2, "steps": 5})"),
               "train.batch_ramp[0].batch: 4 is above the 2 of the next stage, which follows; a "
               "ramp does not fall");
  expect_error(ramp(R"({"batch": 4, "fraction": $0.5})", R"("epochs": 1, "batch": 8)"),
               "train.batch_ramp[0].fraction: is a share of train.steps or train.tokens, and the "
               "length is given by train.epochs; give the stage's steps or tokens");
  expect_error(ramp(R"({"batch": 0, "steps": 5})").replace(ramp("").find("[") + 11, 0, "$"),
               "train.batch_ramp[0].batch: 0 is below the minimum 1");
}

TEST(BatchRamp, LeavesStepsForTheWholeBatch) {
  const std::string refused =
      "train.batch_ramp: its stages take 100 steps and leave nothing of the run's 100 steps for "
      "train.batch";
  const auto all = errors(ramp(R"({"batch": 4, "steps": 100})"));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_NE(all[0].find(refused), std::string::npos) << all[0];
  EXPECT_EQ(errors(ramp(R"({"batch": 4, "steps": 99})")), Lines{});
}

TEST(BatchRamp, SchedulesInTokensCountTheTokensOfEachStep) {
  // 10 steps of 64 tokens, then steps of 256.
  const std::string stage = R"({"batch": 2, "steps": 10})";
  const auto schedule = [&](const std::string& fields) {
    const RunConfig run = parse(ramp(stage, R"("steps": 100, "batch": 8)",
                                     R"(, "schedule": {"kind": "wsd", )" + fields + "}"));
    return std::get<WsdSchedule>(schedule_of(run, run.optimizers.at("adam")));
  };
  EXPECT_EQ(schedule(R"("warmup_tokens": 640)").warmup, 10);
  EXPECT_EQ(schedule(R"("warmup_tokens": 641)").warmup, 11);
  EXPECT_EQ(schedule(R"("warmup_tokens": 1153)").warmup, 13);
  EXPECT_EQ(schedule(R"("decay_tokens": 2561)").decay_steps, 11) << "at the end, of the last batch";
  expect_error(ramp(stage, R"("steps": 100, "batch": 8)",
                    R"(, "schedule": {"kind": "wsd", "decay_tokens": $23041})"),
               "schedule.decay_tokens: the decay begins before step 11, while train.batch_ramp "
               "grows the batch; give decay_steps");
  EXPECT_EQ(known_steps(parse(ramp(stage, R"("tokens": 1152, "batch": 8)"))), 12);
}

TEST(BatchRamp, IsPartOfTheConfigurationOnlyWhereThereIsOne) {
  EXPECT_EQ(dump_config(parse(minimal())).find("batch_ramp"), std::string::npos);
  const RunConfig run = parse(ramp(R"({"batch": 4, "fraction": 0.25})"));
  EXPECT_EQ(parse(dump_config(run)), run);
  EXPECT_EQ(
      parse(minimal(), {"train.batch_ramp=[{\"batch\":4,\"steps\":2}]"}).train.batch_ramp.size(),
      1u);
}

}  // namespace
}  // namespace muonlab::config
