#include "muonlab/theory/capacity.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/matrices.hpp"
#include "theory/capacity_model.hpp"
#include "theory/capacity_path.hpp"

namespace muonlab::theory {
namespace {

TEST(Capacity, ExponentsOfTheTheorem) {
  EXPECT_NEAR(capacity_exponent(1.25, 1), 1.4, 1e-15);
  EXPECT_NEAR(capacity_exponent(1.25, 2), 1.64, 1e-15);
  EXPECT_NEAR(capacity_exponent(1.25, 3), 1.784, 1e-15);
  // The same as the recursion x <- (1 - 1/(2 alpha)) x + 1/alpha from 1.
  double x = 1;
  for (int64_t t = 1; t <= 6; ++t) {
    x = (1 - 1 / 3.0) * x + 1 / 1.5;
    EXPECT_NEAR(capacity_exponent(1.5, t), x, 1e-14);
  }
}

TEST(GaussianMemory, DescentIsMinusTheGradientOfTheLoss) {
  const GaussianMemory memory(6, 14, 1.5, 3);
  const at::Tensor weights = normal_matrix(6, 6, 9, "weights");
  const at::Tensor descent = memory.descent(weights, memory.frequencies());
  const double h = 1e-5;
  for (const auto& [i, j] : {std::pair{0, 0}, std::pair{2, 5}, std::pair{5, 1}}) {
    at::Tensor above = weights.clone(), below = weights.clone();
    above[i][j] += h;
    below[i][j] -= h;
    const double slope = (memory.loss(above) - memory.loss(below)) / (2 * h);
    EXPECT_NEAR(descent[i][j].item<double>(), -slope, 1e-8);
  }
}

TEST(GaussianMemory, DescentAtZeroIsThatOfZeroWeights) {
  const GaussianMemory memory(6, 14, 1.5, 3);
  const at::Tensor zero = at::zeros({6, 6}, at::kDouble);
  EXPECT_TRUE(at::allclose(memory.descent_at_zero(memory.frequencies()),
                           memory.descent(zero, memory.frequencies()), 1e-12, 1e-15));
  EXPECT_NEAR(memory.loss(zero), std::log(14.0), 1e-12);
}

// papers_more.md A: 51 to 55 of 4,096 facts for Muon, 7 to 10 for SGD.
TEST(GaussianMemory, MuonRecoversManyMoreFactsThanSgd) {
  const GaussianMemory memory(64, 4096, 1.25, 1);
  const at::Tensor descent = memory.descent_at_zero(memory.frequencies());
  const auto count = [&](const at::Tensor& weights) {
    return memory.recovered(weights, 1000).sum().item<int64_t>();
  };
  EXPECT_NEAR(static_cast<double>(count(descent)), 9, 4);
  EXPECT_NEAR(static_cast<double>(count(polar(descent))), 53, 8);
  const at::Tensor first = memory.recovered(polar(descent), 10);
  EXPECT_TRUE(first.all().item<bool>()) << "the most frequent facts come first";
}

TEST(GaussianMemory, ABatchHasTheFrequenciesOnAverage) {
  const GaussianMemory memory(6, 14, 1.5, 3);
  const at::Tensor shares = memory.sampled(100000, 1);
  EXPECT_NEAR(shares.sum().item<double>(), 1, 1e-9);
  EXPECT_LT((shares - memory.frequencies()).abs().max().item<double>(), 0.006);
}

TEST(CapacityPath, TheFirstStepIsTheSameWithAndWithoutThreshold) {
  CapacityConfig config;
  config.path_steps = 3;
  const capacity::Path exact = follow(config, 16, 0, capacity::PathKind::exact);
  const capacity::Path thresholded = follow(config, 16, 0, capacity::PathKind::thresholded);
  EXPECT_EQ(exact.counts[0], thresholded.counts[0]);
  EXPECT_LT(exact.losses[2], exact.losses[0]);
}

TEST(Capacity, ASmallRunHasEveryClaim) {
  CapacityConfig config;
  config.widths = {12, 16, 24};
  config.batch_widths = {12, 16};
  config.path_widths = {8, 12};
  config.seeds = 1;
  config.path_seeds = 1;
  Context context;
  Result result;
  run(config, context, result);
  for (const Section& section : result.sections) EXPECT_NO_THROW(page::xy_plots(section.plots));
  EXPECT_EQ(result.claims.size(), 15u);
}

}  // namespace
}  // namespace muonlab::theory
