// Runs whose batch grows: which samples each step takes, and what a resume continues.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "muonlab/train/step.hpp"
#include "run/handover.hpp"
#include "run/small_session.hpp"

namespace muonlab::run {
namespace {

// Steps of 2, 2, 4, 6, 6, 6 samples, in micro-batches of 2.
const std::vector<std::string> kRamp{
    "train.batch=6", R"(train.batch_ramp=[{"batch":2,"steps":2},{"batch":4,"steps":1}])"};

std::vector<std::string> with(std::vector<std::string> settings, const std::string& more) {
  settings.push_back(more);
  return settings;
}

TEST(BatchRamp, EachStepTakesTheSamplesThatFollowThoseBefore) {
  Session session(prepare_small(kRamp));
  train::Trainer& trainer = session.trainer();
  EXPECT_EQ(trainer.plan.steps, 6);
  EXPECT_EQ(trainer.plan.tokens, 26 * 16);
  int64_t samples = 0;
  for (const int64_t batch : {2, 2, 4, 6, 6, 6}) {
    EXPECT_EQ(trainer.state.next_sample, samples);
    const train::StepRecord record = train::train_step(trainer);
    samples += batch;
    EXPECT_EQ(record.tokens, samples * 16);
  }
  EXPECT_EQ(trainer.state.next_sample, 26);
}

// A stage's steps are those of a run with this batch that begins at the same sample and weights.
TEST(BatchRamp, AStepIsThatOfAPlainRunWithItsBatch) {
  Session ramp(prepare_small(kRamp));
  for (const char* batch : {"2", "2", "4", "6"}) {
    Session plain(prepare_small({std::string("train.batch=") + batch}));
    plain.trainer().state = ramp.trainer().state;
    plain.trainer().arena.values().detach().copy_(ramp.trainer().arena.values());
    plain.trainer().model.weights_changed();
    const double expected = train::train_step(plain.trainer()).loss;
    EXPECT_EQ(train::train_step(ramp.trainer()).loss, expected) << batch;
    EXPECT_TRUE(at::equal(ramp.trainer().arena.grads(), plain.trainer().arena.grads())) << batch;
  }
}

TEST(BatchRamp, AFlatOneIsAPlainRun) {
  Session plain(prepare_small());
  Session flat(prepare_small({R"(train.batch_ramp=[{"batch":4,"steps":2}])"}));
  EXPECT_EQ(train::plan_json(flat.prepared().plan), train::plan_json(plain.prepared().plan));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(train::train_step(flat.trainer()).loss, train::train_step(plain.trainer()).loss);
    EXPECT_TRUE(flat.trainer().state == plain.trainer().state);
  }
  EXPECT_TRUE(at::equal(flat.trainer().arena.values(), plain.trainer().arena.values()));
}

TEST(BatchRamp, ResumesInEveryStage) {
  const base::TemporaryFolder folder;
  Session straight(prepare_small(kRamp));
  std::vector<std::string> saved;
  for (int i = 0; i < 5; ++i) {
    train::train_step(straight.trainer());
    saved.push_back(train::save_checkpoint(
        straight.trainer(),
        {base::real_file_system(), folder.path(), straight.trainer().state.step}));
  }
  for (size_t i = 0; i < saved.size(); ++i) {
    Session resumed(prepare_small(kRamp));
    train::load_checkpoint(train::SavedState{store::Checkpoint(saved[i])}, resumed.trainer());
    while (resumed.trainer().state.step < 5) train::train_step(resumed.trainer());
    EXPECT_TRUE(resumed.trainer().state == straight.trainer().state) << i;
    EXPECT_TRUE(at::equal(resumed.trainer().arena.values(), straight.trainer().arena.values()))
        << i;
  }
}

TEST(BatchRamp, ABudgetOfTokensIsFilledByTheBatchesOfItsSteps) {
  const std::vector<std::string> tokens = with(with(kRamp, "train.steps=null"), "train.tokens=400");
  const Prepared prepared = prepare_small(tokens);
  EXPECT_EQ(prepared.plan.steps, 6) << "25 samples: 2 2 4 6 6 6";
  train::TrainState done{.step = 3, .next_sample = 8, .tokens = 128};
  EXPECT_EQ(train::make_plan(prepared.config, prepared.data, done).steps, 6);
  EXPECT_EQ(train::make_plan(prepared.config, prepared.data, done).tokens, 26 * 16);
}

TEST(BatchRamp, ProcessesMustShareEveryStage) {
  Prepared prepared = prepare_small(kRamp);
  prepared.processes = 3;
  const std::string refusal = base::error_of([&] { check_processes(prepared); });
  EXPECT_NE(refusal.find("3 processes cannot share 1 micro-batch a step (train.batch_ramp has a "
                         "batch of 2, train.micro_batch 2) evenly; possible are 1 processes"),
            std::string::npos)
      << refusal;
  prepared = prepare_small(
      {"train.batch=12", "train.micro_batch=1", R"(train.batch_ramp=[{"batch":4,"steps":1}])"});
  for (const int processes : {1, 2, 4}) {
    prepared.processes = processes;
    check_processes(prepared);
  }
}

// The tokens are those of the decay that the fraction takes the place of.
TEST(BatchRamp, AnOptimizersOwnDecayMayReachIntoTheRamp) {
  std::vector<std::string> settings{
      "train.steps=40", R"(train.batch_ramp=[{"batch":2,"steps":10}])",
      R"(schedule={"kind":"wsd","decay_tokens":128})", "optimizers.muon.decay_fraction=0.9"};
  EXPECT_EQ(prepare_small(settings).plan.steps, 40);
  settings.back() = R"(schedule={"kind":"wsd","decay_tokens":2240})";  // 35 steps of 4 samples
  const std::string refusal = base::error_of([&] { prepare_small(settings); });
  EXPECT_NE(refusal.find("the decay begins before step 11"), std::string::npos) << refusal;
}

}  // namespace
}  // namespace muonlab::run
