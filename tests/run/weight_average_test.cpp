// The average of the weights over the end of a run: what it is, where it is judged, that it
// resumes.
#include "muonlab/train/weight_average.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "muonlab/train/evaluation.hpp"
#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"

namespace muonlab::train {
namespace {

TEST(WeightAverage, BeginsWhereItsShareOfTheRunDoes) {
  config::TrainConfig train;
  EXPECT_EQ(WeightAverage::first_step(train, 100), 101);
  train.average = 0.2;
  EXPECT_EQ(WeightAverage::first_step(train, 100), 81);
  train.average = 1.0;
  EXPECT_EQ(WeightAverage::first_step(train, 100), 1);
  train.average = 0.001;
  EXPECT_EQ(WeightAverage::first_step(train, 100), 100);
}

TEST(WeightAverage, IsTheMeanOfTheWeightsAndIsWhatValidationJudges) {
  run::Session session(run::prepare_small({"train.average=0.5"}));  // steps 4, 5 and 6
  Trainer& trainer = session.trainer();
  at::Tensor sum;
  for (int64_t step = 1; step <= 6; ++step) {
    train_step(trainer);
    EXPECT_EQ(trainer.average.count(), std::max<int64_t>(0, step - 3));
    if (step == 4) sum = at::zeros_like(trainer.arena.values());
    if (step >= 4) sum.add_(trainer.arena.values());
  }
  const at::Tensor weights = trainer.arena.values().clone();
  const double judged = evaluate(trainer).loss;
  EXPECT_TRUE(at::equal(trainer.arena.values(), weights));
  {
    const at::NoGradGuard no_grad;
    trainer.arena.values().copy_(sum / 3);
  }
  trainer.model.weights_changed();
  trainer.average = {};
  EXPECT_NEAR(evaluate(trainer).loss, judged, 1e-6);
}

TEST(WeightAverage, TrainingIsTheSameWithIt) {
  run::Session with(run::prepare_small({"train.average=0.5"})), without(run::prepare_small());
  for (run::Session* session : {&with, &without}) {
    for (int64_t step = 0; step < 6; ++step) {
      train_step(session->trainer());
      evaluate(session->trainer());
    }
  }
  EXPECT_TRUE(at::equal(with.trainer().arena.values(), without.trainer().arena.values()));
}

TEST(WeightAverage, IsStoredAndResumed) {
  const base::TemporaryFolder folder;
  const auto save = [&](Trainer& trainer) {
    return save_checkpoint(trainer, {base::real_file_system(), folder.path(), trainer.state.step});
  };
  run::Session straight(run::prepare_small({"train.average=0.5"}));
  run::Session loaded(run::prepare_small({"train.average=0.5"}));
  for (int64_t step = 0; step < 3; ++step) train_step(straight.trainer());
  EXPECT_FALSE(store::Checkpoint(save(straight.trainer())).has("average.safetensors"));
  for (int64_t step = 3; step < 5; ++step) train_step(straight.trainer());
  const SavedState saved{store::Checkpoint(save(straight.trainer()))};
  load_checkpoint(saved, loaded.trainer());
  EXPECT_EQ(loaded.trainer().average.count(), 2);
  for (run::Session* session : {&straight, &loaded}) train_step(session->trainer());
  EXPECT_EQ(evaluate(straight.trainer()).loss, evaluate(loaded.trainer()).loss);
  // what eval and sample open
  const run::LoadedModel opened = run::load_model(save(straight.trainer()));
  EXPECT_TRUE(opened.is_average);
  const auto average = straight.trainer().average.state(straight.trainer().arena);
  EXPECT_TRUE(at::equal(opened.arena->find(average[0].name).value.detach(), average[0].value));
}

// A longer run averages later steps: what was averaged before is forgotten.
TEST(WeightAverage, ALongerRunBeginsAnew) {
  const base::TemporaryFolder folder;
  run::Session first(run::prepare_small({"train.average=0.5"}));
  for (int64_t step = 0; step < 6; ++step) train_step(first.trainer());
  const SavedState saved{store::Checkpoint(
      save_checkpoint(first.trainer(), {base::real_file_system(), folder.path(), 6}))};
  run::Session longer(run::prepare_small({"train.average=0.5", "train.steps=20"}));
  load_checkpoint(saved, longer.trainer());
  EXPECT_EQ(longer.trainer().average.count(), 0);
  for (int64_t step = 6; step < 12; ++step) train_step(longer.trainer());
  EXPECT_EQ(longer.trainer().average.count(), 2);  // steps 11 and 12
}

// The stored average holds steps before the longer run's window, and nothing can take them out.
TEST(WeightAverage, OneThatBeganTooEarlyIsDropped) {
  const base::TemporaryFolder folder;
  const auto saved = [&](Trainer& trainer) {
    return SavedState{store::Checkpoint(
        save_checkpoint(trainer, {base::real_file_system(), folder.path(), trainer.state.step}))};
  };
  run::Session first(run::prepare_small({"train.average=0.6", "train.steps=10"}));  // from step 5
  while (first.trainer().state.step < 10) train_step(first.trainer());
  const std::vector<std::string> longer{"train.average=0.6", "train.steps=16"};  // from step 8
  for (const bool branches : {false, true}) {
    run::Session session(run::prepare_small(longer)), again(run::prepare_small(longer));
    Trainer& trainer = session.trainer();
    branches ? static_cast<void>(load_branch(saved(first.trainer()), trainer))
             : load_checkpoint(saved(first.trainer()), trainer);
    EXPECT_EQ(trainer.average.count(), 0);
    while (trainer.state.step < 13) train_step(trainer);
    EXPECT_EQ(trainer.average.count(), 3);
    load_checkpoint(saved(trainer), again.trainer());
    EXPECT_EQ(again.trainer().average.count(), 3) << "a part of the window stays";
    for (run::Session* both : {&session, &again}) {
      while (both->trainer().state.step < 16) train_step(both->trainer());
      EXPECT_EQ(both->trainer().average.count(), 6);
    }
    EXPECT_EQ(evaluate(trainer).loss, evaluate(again.trainer()).loss);
  }
}

}  // namespace
}  // namespace muonlab::train
