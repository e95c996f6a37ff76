// What every rule's update can be asked for.
#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"
#include "optim/trial.hpp"

namespace muonlab::optim {
namespace {

using namespace config;

template <class Config, class Change>
Config optioned(Config config, Change change) {
  change(config);
  return config;
}

const std::vector<ParameterSpec>& matrices() {
  static const std::vector<ParameterSpec> kSpecs{matrix("tall", 24, 10), matrix("wide", 10, 24),
                                                 matrix("square", 16, 16)};
  return kSpecs;
}

TEST(Hyperball, KeepsTheNormAndTurnsByTheRate) {
  for (const OptimizerConfig& base : std::vector<OptimizerConfig>{MuonConfig{}, AdamWConfig{}}) {
    OptimizerConfig config = base;
    std::visit(
        [](auto& c) {
          c.lr = 0.02;
          c.hyperball = true;
        },
        config);
    Trial trial(matrices(), config);
    trial.fill(6);
    std::vector<at::Tensor> first;
    for (const ParameterSpec& spec : matrices()) first.push_back(trial.value(spec.name).clone());
    for (int64_t step = 1; step <= 300; ++step) {
      trial.fill_grads(static_cast<uint64_t>(step));
      trial.optimizer.step(step, 300);
      for (size_t i = 0; step == 1 && i < first.size(); ++i) {
        const double turned = relative_error(trial.value(matrices()[i].name), first[i]);
        EXPECT_NEAR(turned, 0.02, 0.003);
      }
    }
    for (size_t i = 0; i < first.size(); ++i) {
      const double norm = first[i].to(at::kDouble).norm().item<double>();
      const double now = trial.value(matrices()[i].name).to(at::kDouble).norm().item<double>();
      EXPECT_NEAR(now / norm, 1.0, 1e-6);
    }
  }
}

TEST(Hyperball, ZeroWeightsAreAnError) {
  Trial trial({matrix("w", 4, 6)}, optioned(MuonConfig{}, [](auto& c) { c.hyperball = true; }));
  trial.fill_grads(1);
  EXPECT_THROW(trial.optimizer.step(1, 2), base::Error);
}

TEST(CautiousDecay, WhereAllWeightsMoveToZeroIsDecay) {
  // The update of a positive weight with a positive gradient is towards zero.
  const auto values = [](bool cautious, double sign) {
    Trial trial({matrix("w", 6, 9)}, optioned(SignSgdConfig{}, [&](auto& c) {
                  c.lr = 0.01;
                  c.decay = 0.5;
                  c.cautious = cautious;
                }));
    trial.fill(7);
    trial.grad("w").copy_(trial.value("w") * sign);
    trial.optimizer.step(1, 2);
    return trial.value("w").clone();
  };
  EXPECT_LT(relative_error(values(true, 1.0), values(false, 1.0)), 3e-7);
  Trial trial({matrix("w", 6, 9)}, SignSgdConfig{});
  trial.fill(7);
  const at::Tensor w = trial.value("w");
  EXPECT_LT(relative_error(values(true, -1.0), w + 0.01 * w.sign()), 3e-7);  // none decays
}

TEST(Floor, ScalesSmallUpdatesUpAndLeavesOthers) {
  const auto moved = [](double floor) {
    Trial trial({matrix("w", 6, 9)}, optioned(SgdConfig{}, [&](auto& c) { c.floor = floor; }));
    trial.fill(8, 0.01);
    const at::Tensor before = trial.value("w").clone();
    trial.optimizer.step(1, 2);
    return ((trial.value("w") - before).norm() / before.norm() / SgdConfig{}.lr).item<double>();
  };
  const double plain = moved(0.0);
  EXPECT_NEAR(moved(0.35), 0.35, 1e-4);
  EXPECT_NEAR(moved(plain / 2), plain, 1e-5);
}

TEST(DecayForm, TheSquareOfTheRateFollowsTheSchedule) {
  Trial trial({matrix("w", 6, 9)}, optioned(SgdConfig{}, [](auto& c) {
                c.lr = 0.5;
                c.decay = 0.25;
                c.decay_form = DecayForm::rate_squared;
                LinearSchedule half;
                half.warmup = 2;
                c.schedule = half;
              }));
  trial.fill(9, 0.0);
  const at::Tensor before = trial.value("w").clone();
  trial.optimizer.step(1, 4);  // at half the rate
  EXPECT_TRUE(identical(trial.value("w"), before * (1.0f - 0.0625f * 0.25f)));
}

}  // namespace
}  // namespace muonlab::optim
