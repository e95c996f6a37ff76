#include <cmath>

#include <gtest/gtest.h>

#include "muonlab/optim/schedule.hpp"

namespace muonlab::optim {
namespace {

using namespace config;

template <class S>
S after(int64_t warmup, double final = 0.0) {
  S schedule;
  schedule.warmup = warmup;
  if constexpr (requires { schedule.final; }) schedule.final = final;
  return schedule;
}

WsdSchedule wsd(int64_t warmup, double decay_fraction, double final, double power = 1.0) {
  auto schedule = after<WsdSchedule>(warmup, final);
  schedule.decay_fraction = decay_fraction;
  schedule.power = power;
  return schedule;
}

double at(const ScheduleConfig& schedule, int64_t step, int64_t num_steps = 100) {
  return schedule_multiplier(schedule, step, num_steps);
}

TEST(Schedule, WarmupIsLinearFromItsFirstPartToOne) {
  const std::vector<ScheduleConfig> all{after<ConstantSchedule>(10), after<LinearSchedule>(10, 0.1),
                                        after<CosineSchedule>(10, 0.1),
                                        after<InverseSqrtSchedule>(10), wsd(10, 0.2, 0.1)};
  for (const ScheduleConfig& schedule : all) {
    EXPECT_DOUBLE_EQ(at(schedule, 1), 0.1);
    EXPECT_DOUBLE_EQ(at(schedule, 5), 0.5);
    EXPECT_DOUBLE_EQ(at(schedule, 9), 0.9);
    EXPECT_DOUBLE_EQ(at(schedule, 10), 1.0);
    EXPECT_LE(at(schedule, 11), 1.0);
    // A warm-up longer than the run is all there is.
    EXPECT_DOUBLE_EQ(at(schedule, 4, 5), 0.4);
  }
}

TEST(Schedule, WithoutWarmupTheFirstStepHasTheFullRate) {
  for (const ScheduleConfig& schedule : std::vector<ScheduleConfig>{
           ConstantSchedule{}, LinearSchedule{}, CosineSchedule{}, WsdSchedule{}}) {
    EXPECT_DOUBLE_EQ(at(schedule, 1), 1.0);
    EXPECT_DOUBLE_EQ(at(schedule, 1, 1), 1.0);  // a run of one step moves
  }
}

TEST(Schedule, ConstantStays) { EXPECT_DOUBLE_EQ(at(ConstantSchedule{}, 100), 1.0); }

TEST(Schedule, LinearFallsToFinalAtTheLastStep) {
  const auto s = after<LinearSchedule>(20, 0.2);
  EXPECT_DOUBLE_EQ(at(s, 20), 1.0);
  EXPECT_DOUBLE_EQ(at(s, 60), 0.6);
  EXPECT_DOUBLE_EQ(at(s, 100), 0.2);
  EXPECT_DOUBLE_EQ(at(s, 101), 0.2);
  EXPECT_DOUBLE_EQ(at(LinearSchedule{}, 100), 0.0);
}

TEST(Schedule, CosineFallsToFinalAtTheLastStep) {
  const auto s = after<CosineSchedule>(20, 0.2);
  EXPECT_DOUBLE_EQ(at(s, 40), 0.2 + 0.8 * 0.5 * (1.0 + std::sqrt(0.5)));
  EXPECT_DOUBLE_EQ(at(s, 60), 0.6);
  EXPECT_DOUBLE_EQ(at(s, 100), 0.2);
  EXPECT_DOUBLE_EQ(at(s, 130), 0.2);
}

TEST(Schedule, InverseSqrtFallsWithTheRootOfTheStep) {
  EXPECT_DOUBLE_EQ(at(after<InverseSqrtSchedule>(25), 25), 1.0);
  EXPECT_DOUBLE_EQ(at(after<InverseSqrtSchedule>(25), 100), 0.5);
  EXPECT_DOUBLE_EQ(at(after<InverseSqrtSchedule>(25), 2500, 10),
                   0.1);  // whatever the length of the run
}

TEST(Schedule, WsdIsStableThenDecays) {
  const WsdSchedule s = wsd(10, 0.2, 0.1);
  EXPECT_DOUBLE_EQ(at(s, 11), 1.0);
  EXPECT_DOUBLE_EQ(at(s, 80), 1.0);
  EXPECT_NEAR(at(s, 90), 0.55, 1e-12);
  EXPECT_DOUBLE_EQ(at(s, 100), 0.1);
  EXPECT_DOUBLE_EQ(at(wsd(0, 0.0, 0.0), 100), 1.0);  // no decay asked for
  EXPECT_DOUBLE_EQ(at(wsd(50, 1.0, 0.0), 50), 1.0);  // decay begins after the warm-up
  EXPECT_DOUBLE_EQ(at(wsd(50, 1.0, 0.0), 75), 0.5);
}

TEST(Schedule, APowerBelowOneFallsFastFirst) {
  const WsdSchedule root = wsd(0, 0.2, 0.1, 0.5);
  EXPECT_DOUBLE_EQ(at(root, 80), 1.0);
  EXPECT_NEAR(at(root, 85), 1.0 - 0.9 * std::sqrt(0.25), 1e-12);
  EXPECT_DOUBLE_EQ(at(root, 100), 0.1);
  auto linear = after<LinearSchedule>(0);
  linear.power = 0.4;
  EXPECT_DOUBLE_EQ(at(linear, 1), 1.0);
  EXPECT_NEAR(at(linear, 50), 1.0 - std::pow(49.0 / 99.0, 0.4), 1e-12);
}

TEST(Schedule, LengthsInSharesOfTheRunFollowItsLength) {
  WsdSchedule schedule;
  schedule.warmup_fraction = 0.1;
  schedule.decay_steps = 40;
  for (const int64_t steps : {100, 1000}) {
    EXPECT_DOUBLE_EQ(at(schedule, steps / 20, steps), 0.5);
    EXPECT_DOUBLE_EQ(at(schedule, steps / 10, steps), 1.0);
    EXPECT_DOUBLE_EQ(at(schedule, steps - 40, steps), 1.0);
    EXPECT_DOUBLE_EQ(at(schedule, steps - 20, steps), 0.5);
  }
}

}  // namespace
}  // namespace muonlab::optim
