#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/fit.hpp"
#include "muonlab/theory/matrices.hpp"
#include "theory/dynamics_law.hpp"
#include "theory/dynamics_oscillation.hpp"
#include "theory/dynamics_parts.hpp"
#include "theory/groups.hpp"

namespace muonlab::theory {
namespace {

const std::vector<int64_t> kSteps{50, 100, 200, 400, 800, 1600};

// Computed for this project with K = 512, a = 0.1 and 2,000 groups.
TEST(Dynamics, GdsExcessOverAPowerLaw) {
  const GapLaw law(512, 0.1);
  EXPECT_NEAR(law.optimum(), 8.43577, 5e-6);
  EXPECT_NEAR(law.target() * (1 - law.target()), .08984, 5e-6);
  struct Row {
    double beta, first, last, slope;
  };
  for (const Row& row :
       {Row{1.5, 1.533, .4202, -.373}, Row{2, .8223, .1441, -.502}, Row{3, .3739, .0369, -.667}}) {
    const std::vector<double> excess = gd_excess(law, power_law(2000, row.beta), kSteps);
    EXPECT_NEAR(excess.front(), row.first, 6e-4) << row.beta;
    EXPECT_NEAR(excess.back(), row.last, 6e-5) << row.beta;
    const std::vector<double> steps(kSteps.begin(), kSteps.end());
    EXPECT_NEAR(fit_power(steps, excess).slope, row.slope, 6e-4) << row.beta;
  }
}

TEST(Dynamics, MuonsExcessAtAStepThatFitsTheTime) {
  const GapLaw law(512, 0.1);
  std::vector<double> steps, excess;
  for (int64_t count : kSteps) {
    const double step = 1.25 * law.optimum() / static_cast<double>(count);
    double gap = 0, before = 0;
    for (int64_t t = 0; t < count; ++t) before = std::exchange(gap, law.muon(gap, step));
    steps.push_back(static_cast<double>(count));
    excess.push_back(std::max(law.excess(gap), law.excess(before)));
  }
  EXPECT_NEAR(excess.front(), 1.889e-3, 6e-7);
  EXPECT_NEAR(excess.back(), 1.955e-6, 6e-10);
  EXPECT_NEAR(fit_power(steps, excess).slope, -1.985, 6e-4);
}

TEST(Dynamics, WithoutNoiseMuonsLossIsTheClosedForm) {
  const GapLaw law(512, 0);
  double gap = 0;
  for (int t = 1; t <= 100; ++t) {
    gap = law.muon(gap, 0.2);
    EXPECT_NEAR(law.excess(gap) / std::log1p(511 * std::exp(-0.2 * t)), 1, 1e-12);
  }
}

// Whole matrices against the reduction to groups, both the polar factor and the path.
TEST(Dynamics, TheReductionToGroupsIsExact) {
  const std::vector<double> p = power_law(4, 1.5);
  for (const int64_t size : {1, 5}) {
    for (const double noise : {0.0, 0.1}) {
      const GroupedMemory memory(p, size, noise);
      const auto facts = static_cast<int64_t>(memory.num_facts());
      at::Tensor weights = at::zeros({facts, facts}, at::kDouble);
      at::Tensor frequency = as_tensor(p).repeat_interleave(size) / static_cast<double>(size);
      const at::Tensor target = (1 - noise) * identity(facts) + noise / memory.num_facts();
      GroupMatrix logits = memory.zero();
      for (int t = 0; t < 12; ++t) {
        const at::Tensor gradient = (at::softmax(weights, 0) - target) * frequency;
        const GroupMatrix direction = memory.polar(memory.gradient(logits));
        EXPECT_LT((memory.whole(direction) - polar(gradient)).abs().max().item<double>(), 1e-9);
        weights = weights - 0.4 * polar(gradient);
        logits = logits.stepped(0.4, direction);
        EXPECT_LT((memory.whole(logits) - weights).abs().max().item<double>(), 1e-9);
        const double loss =
            -((target * at::log_softmax(weights, 0)).sum(0) * frequency).sum().item<double>();
        const double least =
            -((target * at::log(target.clamp_min(1e-300))).sum(0) * frequency).sum().item<double>();
        EXPECT_NEAR(memory.excess(logits), loss - least, 1e-12);
      }
    }
  }
}

TEST(Dynamics, MuonsDirectionIsTheIdentityUpToTheBound) {
  for (const int64_t groups : {4, 8, 16}) {
    const int64_t size = 512 / groups;
    const GroupedMemory memory(power_law(groups, 1.5), size, 0);
    const GroupMatrix direction = memory.polar(
        memory.gradient(memory.zero()).stepped(2, memory.gradient(memory.zero())));  // -gradient
    const double bound =
        1 / static_cast<double>(size) + static_cast<double>(groups) / static_cast<double>(size);
    EXPECT_LT(memory.deviation_from_identity(direction), bound);
    EXPECT_GT(memory.deviation_from_identity(direction), 0.1 / static_cast<double>(size));
  }
}

// As the experiment has them, with one number of groups and hardly any facts for GD.
DynamicsConfig quick_dynamics() {
  DynamicsConfig config;
  config.groups = {8};
  config.exponents = {2};
  config.law_facts = 100;
  return config;
}

const Claim& dynamics_claim(const Result& result, const std::string& words) {
  for (const Claim& claim : result.claims) {
    if (claim.statement.find(words) != std::string::npos) return claim;
  }
  throw std::runtime_error("no claim says \"" + words + "\"");
}

// The excess of single iterates has exponents of -2.18 and -1.81 over these T.
TEST(Dynamics, MuonsLawInTDoesNotDependOnTheChosenTimes) {
  for (const std::vector<int64_t>& times : {std::vector<int64_t>{70, 140, 280, 560, 1120},
                                            std::vector<int64_t>{100, 200, 400, 800, 1600, 3200}}) {
    DynamicsConfig config = quick_dynamics();
    config.times = times;
    Context context;
    Result result;
    scaling_laws(config, context, result);
    const Claim& law = dynamics_claim(result, "T^-2");
    EXPECT_TRUE(law.holds()) << law.measured;
    if (times.back() > 2000) {
      EXPECT_NE(law.note.find("2 of 6 points are left out"), std::string::npos) << law.note;
    }
  }
}

// Single step sizes have exponents of about 1 here, and the first phase had no end.
TEST(Dynamics, MuonsLawInTheStepDoesNotDependOnTheChosenStep) {
  DynamicsConfig config = quick_dynamics();
  for (const double step : {0.04, 0.02}) {
    config.noisy_step = step;
    Context context;
    Result result;
    two_phases(config, context, result);
    for (const char* words : {"proportional to η²", "ends at T* = z*/η", "like log(K)/η"}) {
      const Claim& claim = dynamics_claim(result, words);
      EXPECT_TRUE(claim.holds()) << claim.statement << claim.measured << claim.note;
    }
  }
}

TEST(Dynamics, PointsAtTheFloorAreLeftOutAndCounted) {
  const std::vector<double> x{1, 2, 4, 8}, y{1e-2, 2.5e-3, 6.25e-4, 1e-4};
  const FloorFit all = fit_above({1e-5}, x, y, "T");
  EXPECT_EQ(all.x, x);
  const FloorFit three = fit_above({1e-4}, x, y, "T");
  EXPECT_NEAR(three.fit.slope, -2, 1e-12);
  EXPECT_EQ(three.note.substr(0, 50), "Fitted to T from 1 to 4. 1 of 4 points are left ou");
  EXPECT_TRUE(std::isnan(fit_above({1e-3}, x, y, "T").fit.slope)) << "two points are no law";
  EXPECT_TRUE(std::isnan(fit_above({1}, x, y, "T").fit.slope));
}

TEST(Dynamics, GdsLimitIsFoundWhateverTheNoise) {
  DynamicsConfig config;
  config.facts = 64;
  config.groups = {4};
  config.noise = 1e-6;
  Context context;
  Result result;
  two_phases(config, context, result);
  const Claim& limit = dynamics_claim(result, "GD is stable");
  EXPECT_GT(limit.measured, 1.9e6);
  EXPECT_TRUE(limit.holds()) << limit.measured;
}

TEST(Dynamics, LongPathsOfGdHearAStop) {
  const std::vector<int64_t> steps{1000000};
  int64_t ticks = 0;
  gd_excess(GapLaw(64, 0), power_law(4, 1), steps, [&] { ++ticks; });
  EXPECT_EQ(ticks, 4);
}

}  // namespace
}  // namespace muonlab::theory
