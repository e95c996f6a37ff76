#include "muonlab/theory/phases.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "theory/least_squares.hpp"

namespace muonlab::theory {
namespace {

TEST(LeastSquares, NoiseFloorsByHand) {
  const LeastSquares problem{128, 32, 512, 0};
  // eta² m (tr K^(1/2))² / (8 B), and pi eta² m² n tr K / (16 B)
  EXPECT_NEAR(problem.noise_floor(SignRule::svd, 2e-3), 4e-6 * 128 * 32 * 32 / 4096, 1e-18);
  EXPECT_NEAR(problem.noise_floor(SignRule::sgd, 2e-4), M_PI * 4e-8 * 128 * 128 * 32 * 32 / 8192,
              1e-15);
  const double lr = problem.half_limit(SignRule::svd, 0.7);
  EXPECT_NEAR(problem.noise_floor(SignRule::svd, 2 * lr), 0.7, 1e-12)
      << "at the limit the floor is the loss itself";
}

TEST(LeastSquares, EquationsOfOneModeHaveTheirExponential) {
  // One input: dD/ds = (-2 + 1) D for SignSVD, and L = D / 2.
  const LossCurve curve = integrate({2, 1, 2, 1}, SignRule::svd, 0, 3);
  EXPECT_NEAR(curve.at(2.5) / curve.at(0.5), std::exp(-2.0), 5e-4);
}

// Exponents and the crossing as computed independently (n = 2000, times 20 to 200).
TEST(LeastSquares, ExponentsAgreeWithAnIndependentIntegration) {
  struct Row {
    double a, b, svd, sgd;
  };
  for (const Row& row :
       {Row{1.5, 0, -0.59, -0.33}, Row{1.5, 1, -1.52, -1.42}, Row{2.5, 0, -1.05, -0.60},
        Row{2.5, 0.5, -1.24, -1.02}, Row{2.5, 2, -1.10, -1.73}}) {
    const LeastSquares problem{2, 2000, 2, row.a};
    EXPECT_NEAR(integrate(problem, SignRule::svd, row.b, 220).slope(20, 200), row.svd, 0.03)
        << row.a << " " << row.b;
    EXPECT_NEAR(integrate(problem, SignRule::sgd, row.b, 220).slope(20, 200), row.sgd, 0.03)
        << row.a << " " << row.b;
  }
}

TEST(LeastSquares, SignSvdComesAheadAtTheIndependentTime) {
  const LeastSquares problem{2, 2000, 2, 1.5};
  const LossCurve svd = integrate(problem, SignRule::svd, 0, 100);
  const LossCurve sgd = integrate(problem, SignRule::sgd, 0, 100);
  EXPECT_GT(svd.at(44), sgd.at(44));
  EXPECT_LT(svd.at(50), sgd.at(50));
}

TEST(Simulation, ALossAboveTheLimitGrowsAndOneBelowFalls) {
  const LeastSquares problem{32, 8, 64, 1};
  for (const SignRule rule : {SignRule::svd, SignRule::sgd}) {
    Simulation simulation(problem, 0, 1);
    const double start = simulation.loss();
    for (int t = 0; t < 40; ++t) simulation.step(rule);
    EXPECT_LT(simulation.loss(), start);
    const double low = simulation.loss();
    for (int t = 0; t < 40; ++t)
      simulation.step(rule, 6 * problem.half_limit(rule, simulation.loss()));
    EXPECT_GT(simulation.loss(), low);
  }
}

TEST(Phases, ASmallRunHasEveryClaim) {
  PhasesConfig config;
  config.outputs = 16;
  config.inputs = 4;
  config.batch = 16;
  config.steps = 40;
  config.floor_steps = 30;
  config.drift_size = 52;
  config.drift_batches = 10;
  config.map_inputs = 50;
  Context context;
  Result result;
  run(config, context, result);
  for (const Section& section : result.sections) EXPECT_NO_THROW(page::xy_plots(section.plots));
  EXPECT_EQ(result.claims.size(), 18u);
}

}  // namespace
}  // namespace muonlab::theory
