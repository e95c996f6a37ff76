#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/fit.hpp"
#include "muonlab/theory/matrices.hpp"
#include "theory/dynamics_law.hpp"
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

}  // namespace
}  // namespace muonlab::theory
