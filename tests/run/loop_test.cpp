// The order of what the loop does, and when it stops.
#include "muonlab/train/loop.hpp"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/base/non_finite.hpp"
#include "run/small_session.hpp"

namespace muonlab::train {
namespace {

class EveryOtherStep : public Probe {
 public:
  explicit EveryOtherStep(std::string& told) : told_(told) {}
  std::string name() const override { return "other"; }
  int64_t every() const override { return 4; }
  void before_step(Trainer& trainer) override { note("b", trainer.state.step + 1); }
  std::vector<std::string> measure(Trainer& trainer) override {
    note("p", trainer.state.step);
    return {};
  }

 private:
  void note(const char* what, int64_t step) { told_ += base::str(what, step, " "); }
  std::string& told_;
};

// What a run does, as one word an event: steps t, evaluations v, probes b (before) and p, saves s.
class LoopTest : public ::testing::Test {
 protected:
  LoopEvents events(Trainer& trainer) {
    LoopEvents events;
    events.stepped = [this](const StepRecord& r) { told_ += base::str("t", r.step, " "); };
    events.evaluated = [this](int64_t step, const Evaluation& evaluation) {
      told_ += base::str("v", step, " ");
      losses_.push_back(evaluation.loss);
    };
    events.save = [this, &trainer](SaveKind) { told_ += base::str("s", trainer.state.step, " "); };
    events.stop_requested = [this, &trainer] { return trainer.state.step == stop_at_; };
    events.probes = {&probe_};
    events.probed = [](const Probe&, const std::vector<std::string>&) {};
    return events;
  }

  std::string told_;
  std::vector<double> losses_;
  int64_t stop_at_ = -1;
  EveryOtherStep probe_{told_};
};

TEST_F(LoopTest, EvaluatesProbesAndSavesInThisOrder) {
  run::Session session(run::prepare_small());
  EXPECT_EQ(run_loop(session.trainer(), events(session.trainer())), Outcome::finished);
  EXPECT_EQ(told_, "v0 p0 t1 t2 v2 t3 s3 b4 t4 v4 p4 t5 b6 t6 v6 p6 s6 ");
  EXPECT_TRUE(std::isfinite(losses_.back()));
}

TEST_F(LoopTest, AnInterruptionSavesAndLeaves) {
  run::Session session(run::prepare_small());
  stop_at_ = 1;
  EXPECT_EQ(run_loop(session.trainer(), events(session.trainer())), Outcome::interrupted);
  EXPECT_EQ(told_, "v0 p0 t1 s1 ");
}

TEST_F(LoopTest, TheBestStateIsSavedAlsoThatOfStepZero) {
  // The loss falls at first; a rate that grows without bound makes every later validation worse.
  run::Session session(run::prepare_small({"checkpoint.best=true", "checkpoint.every=0"}));
  run_loop(session.trainer(), events(session.trainer()));
  EXPECT_EQ(told_, "v0 p0 s0 t1 t2 v2 s2 t3 b4 t4 v4 p4 s4 t5 b6 t6 v6 p6 s6 ");

  told_.clear();
  run::Session worse(
      run::prepare_small({"checkpoint.best=true", "checkpoint.every=0", "optimizers.adam.lr=3"}));
  run_loop(worse.trainer(), events(worse.trainer()));
  EXPECT_EQ(told_, "v0 p0 s0 t1 t2 v2 t3 b4 t4 v4 p4 t5 b6 t6 v6 p6 s6 ");
  EXPECT_EQ(worse.trainer().state.best_step, 0);
}

TEST_F(LoopTest, AStateOfStepZeroThatWasSavedIsNotMeasuredAgain) {
  run::Session session(run::prepare_small());
  session.trainer().state.best_step = 0;
  session.trainer().state.best_val_loss = 5.5;
  run_loop(session.trainer(), events(session.trainer()));
  EXPECT_EQ(told_.substr(0, 3), "t1 ");
}

TEST_F(LoopTest, AValidationThatIsNotFiniteStopsTheRunUnsaved) {
  run::Session session(run::prepare_small({"train.steps=1", "optimizers.adam.lr=1e30"}));
  try {
    run_loop(session.trainer(), events(session.trainer()));
    FAIL() << "a run whose last update diverged passes as finished";
  } catch (const base::NonFinite& error) {
    EXPECT_NE(std::string(error.what()).find("step 1: validation loss"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(told_, "v0 p0 b1 t1 v1 ") << "recorded, not saved";
}

TEST_F(LoopTest, AModelThatGivesEveryTokenTheSameProbabilityHasDiverged) {
  // Squares of activations overflow: the norms make zeros, the loss reads ln V exactly.
  run::Session session(
      run::prepare_small({"train.steps=1", "optimizers.adam.lr=0", "optimizers.muon.lr=0"}));
  at::Tensor embedding = session.trainer().arena.find("model.embed_tokens.weight").value.detach();
  embedding.fill_(1e30f);
  session.trainer().model.weights_changed();
  session.trainer().state.best_step = 0;
  session.trainer().state.best_val_loss = 5.5;
  EXPECT_THROW(run_loop(session.trainer(), events(session.trainer())), base::NonFinite);
  ASSERT_EQ(losses_.size(), 1u);
  EXPECT_NEAR(losses_[0], std::log(257.0), 1e-6);
}

TEST_F(LoopTest, SoItHasWhereNoValidationCameBefore) {
  run::Session session(run::prepare_small({"eval.every=1", "optimizers.adam.lr=0"}));
  Trainer& trainer = session.trainer();
  trainer.state.step = 2;  // resumed, and no validation counts as the best
  LoopEvents overflows = events(trainer);
  overflows.stepped = [&](const StepRecord& record) {
    if (record.step < 3) return;
    trainer.arena.find("model.embed_tokens.weight").value.detach().fill_(1e30f);
    trainer.model.weights_changed();
  };
  EXPECT_THROW(run_loop(trainer, overflows), base::NonFinite);
  EXPECT_EQ(losses_.size(), 1u);
}

TEST_F(LoopTest, AHeadOfZerosThatHasNotLearnedYetIsHealthy) {
  run::Session session(
      run::prepare_small({"eval.every=1", "optimizers.adam.lr=0", "train.z_loss=0.001",
                          R"(model.init.rules=[{"params":["head"],"kind":"zero"}])"}));
  EXPECT_EQ(run_loop(session.trainer(), events(session.trainer())), Outcome::finished);
  ASSERT_EQ(losses_.size(), 7u);
  EXPECT_NEAR(losses_.back(), std::log(257.0), 1e-6);
}

}  // namespace
}  // namespace muonlab::train
