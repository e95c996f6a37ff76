#include "muonlab/theory/denoise.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/theory/directions.hpp"
#include "theory/denoise_model.hpp"

namespace muonlab::theory {
namespace {

using Values = std::vector<double>;

TEST(Denoise, SignalsOfThePaper) {
  EXPECT_EQ(denoise_signal(1), Values({12}));
  EXPECT_EQ(denoise_signal(3), Values({12, 8, 5}));
  EXPECT_EQ(denoise_signal(5), Values({12, 10, 8, 6, 4}));
  EXPECT_EQ(denoise_signal(10), Values({12, 11, 10, 9, 8, 7, 6, 5, 4, 3}));
  EXPECT_EQ(denoise_signal(15).front(), 12);
  EXPECT_EQ(denoise_signal(15).back(), 5);
  EXPECT_EQ(denoise_signal(2), Values({12, 4}));
}

TEST(Denoise, NoiseHasUnitVarianceAndVarianceThatFollowsItsLastSquare) {
  const at::Tensor noise = arch_noise(400, 20, 20, 0.3, 1);
  EXPECT_NEAR(noise.square().mean().item<double>(), 1, 0.02);
  const at::Tensor squares = noise.square() - 1;
  const double together =
      (squares.narrow(0, 0, 399) * squares.narrow(0, 1, 399)).mean().item<double>();
  const double alone = squares.square().mean().item<double>();
  EXPECT_NEAR(together / alone, 0.3, 0.06) << "autocorrelation of the squares";
  const double linear = (noise.narrow(0, 0, 399) * noise.narrow(0, 1, 399)).mean().item<double>();
  EXPECT_NEAR(linear, 0, 0.01) << "no correlation of the noise itself";
}

TEST(Denoise, AlignmentFromGramMatrixIsThatOfThePolarFactor) {
  DenoiseConfig config;
  for (const auto& [rows, columns] : {std::pair{30, 20}, std::pair{20, 30}}) {
    config.rows = rows;
    config.columns = columns;
    const denoise::Signal signal = denoise::make_signal(config, 3);
    const at::Tensor noisy = signal.matrix() + arch_noise(1, rows, columns, 0, 4)[0];
    const double expected = (polar(noisy) * signal.matrix()).sum().item<double>();
    EXPECT_NEAR(denoise::polar_alignment(noisy, signal), expected, 1e-8);
    EXPECT_NEAR(denoise::polar_alignment(signal.matrix() + 1e-9 * noisy, signal), signal.nuclear(),
                1e-3);
  }
}

TEST(Denoise, WeightsAreThoseOfTheRecursion) {
  const at::Tensor weights = denoise::average_weights({0.0, 0.9}, 5);
  double average = 0;
  const double values[] = {3, -1, 4, 1, -5};
  for (const double value : values) average = 0.9 * average + 0.1 * value;
  double sum = 0;
  for (int t = 0; t < 5; ++t) sum += weights[1][t].item<double>() * values[t];
  EXPECT_NEAR(sum, average, 1e-14);
  EXPECT_EQ(weights[0][4].item<double>(), 1);
}

DenoiseConfig small_denoise() {
  DenoiseConfig config;
  config.rows = 16;
  config.columns = 12;
  config.gradients = 60;
  config.seeds = 1;
  config.ranks = {1, 2};
  config.betas = 4;
  config.noise_levels = 3;  // 0.2, 1 and 5
  config.window = 10;
  return config;
}

TEST(Denoise, TheOrdersAreComparedAtTheGivenBeta) {
  DenoiseConfig config = small_denoise();
  config.beta = 0.9999;
  Context context;
  const denoise::Sweeps sweeps = denoise::measure_all(config, context);
  for (size_t rank = 0; rank < 2; ++rank)
    EXPECT_NEAR(sweeps.at_beta[rank].pre[0], sweeps.by_noise[3 * rank + 1].pre[0], 1e-12);
  Result result;
  run(config, context, result);
  const Claim& lead = result.claims[3];
  EXPECT_EQ(lead.statement.find("At beta 0.9999 averaging first"), 0u) << lead.statement;
  const double grown = 1 - std::pow(config.beta, 60);
  const auto lead_of = [&](const denoise::Curve& curve) {
    return curve.pre[0] - std::max(curve.post[0] / grown, curve.single);
  };
  EXPECT_NEAR(lead.measured, std::min(lead_of(sweeps.at_beta[0]), lead_of(sweeps.at_beta[1])),
              1e-12);
}

TEST(Denoise, ASmallRunHasEveryClaim) {
  DenoiseConfig config;
  config.rows = 16;
  config.columns = 12;
  config.gradients = 60;
  config.seeds = 2;
  config.ranks = {1, 2};
  config.betas = 6;
  config.noise_levels = 3;
  config.window = 10;
  Context context;
  Result result;
  run(config, context, result);
  for (const Section& section : result.sections) EXPECT_NO_THROW(page::xy_plots(section.plots));
  EXPECT_EQ(result.claims.size(), 10u);
  for (const Claim& claim : result.claims)
    EXPECT_FALSE(std::isnan(claim.measured)) << claim.statement;
}

}  // namespace
}  // namespace muonlab::theory
