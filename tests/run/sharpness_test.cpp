// The sharpness probe inside a run.
#include "muonlab/train/sharpness_probe.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"

namespace muonlab::train {
namespace {

SharpnessProbe probe_of(const std::string& params) {
  return SharpnessProbe(config::SharpnessConfig{.every = 1, .params = {params}});
}

TEST(SharpnessProbe, MeasuresTheStepOnItsOwnBatch) {
  run::Session session(run::prepare_small());
  Trainer& trainer = session.trainer();
  SharpnessProbe probe = probe_of("all");
  EXPECT_TRUE(probe.measure(trainer).empty()) << "no step, no update";
  for (int step = 1; step <= 3; ++step) {
    probe.before_step(trainer);
    const at::Tensor before = trainer.arena.values().clone();
    const StepRecord record = train_step(trainer);
    const at::Tensor after = trainer.arena.values().clone(), grads = trainer.arena.grads().clone();
    const Sharpness measured = probe.measure_step(trainer);
    EXPECT_TRUE(at::equal(trainer.arena.values(), after));
    EXPECT_TRUE(at::equal(trainer.arena.grads(), grads));
    EXPECT_NEAR(measured.loss, record.loss, 1e-5 * record.loss);
    const double slope = ((before - after) * grads).sum().item<double>();
    EXPECT_NEAR(measured.gradient, slope, 1e-3 * std::abs(slope));
    const double predicted = measured.gradient - measured.curvature;
    EXPECT_NEAR(measured.realised, predicted, 0.2 * std::abs(predicted));
  }
}

TEST(SharpnessProbe, DoesNotChangeTheRun) {
  const auto weights_after = [](bool probed) {
    run::Session session(run::prepare_small());
    SharpnessProbe probe = probe_of("vo");
    for (int step = 1; step <= 3; ++step) {
      if (probed) probe.before_step(session.trainer());
      train_step(session.trainer());
      if (!probed) continue;
      const auto lines = probe.measure(session.trainer());
      EXPECT_EQ(lines.size(), 2u) << "the update and its only layer";
      EXPECT_EQ(nlohmann::json::parse(lines.at(0)).at("step"), step);
    }
    return session.trainer().arena.values().clone();
  };
  EXPECT_TRUE(at::equal(weights_after(true), weights_after(false)));
}

}  // namespace
}  // namespace muonlab::train
