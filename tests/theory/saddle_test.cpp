#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/theory/matrices.hpp"
#include "theory/saddle_model.hpp"

namespace muonlab::theory {
namespace {

at::Tensor unit(int64_t n, const std::string& stream) {
  const at::Tensor x = normal_matrix(n, 1, 3, stream).squeeze(1);
  return x / x.norm();
}

double steps_out(int64_t n, EscapeRule rule, StepLength length, double start_factor) {
  double sum = 0;
  for (int seed = 0; seed < 3; ++seed) {
    const double start = start_factor * std::sqrt(static_cast<double>(n));
    Escape escape({n, 1, 1}, rule, length, 1, start);
    const at::Tensor u = unit(n, "u" + std::to_string(seed)),
                     v = unit(n, "v" + std::to_string(seed));
    int t = 0;
    for (; t < 1000 && escape.position() < start + 20; ++t)
      escape.advance(normal_matrix(n, n, seed, "z" + std::to_string(t)), u, v);
    sum += t;
  }
  return sum / 3;
}

// Computed for this project with three seeds of other random numbers.
TEST(SaddleModel, StepsToEscape) {
  for (int64_t n : {16, 64}) {
    EXPECT_NEAR(steps_out(n, EscapeRule::muon, StepLength::equal_rms, 4), 21, 1) << n;
  }
  EXPECT_NEAR(steps_out(16, EscapeRule::sign, StepLength::equal_rms, 4), 10.7, 2.5);
  EXPECT_NEAR(steps_out(64, EscapeRule::sign, StepLength::equal_rms, 4), 7.0, 1.5);
  EXPECT_NEAR(steps_out(64, EscapeRule::sign, StepLength::equal_spectral, 4), 23.0, 2);
  EXPECT_NEAR(steps_out(64, EscapeRule::sign, StepLength::entry, 4), 55.3, 5);
  EXPECT_NEAR(steps_out(64, EscapeRule::muon, StepLength::equal_rms, .25), 32.7, 4);
  EXPECT_NEAR(steps_out(64, EscapeRule::sign, StepLength::entry, .25), 200, 25);
}

TEST(SaddleModel, StepsHaveTheLengthThatIsAskedFor) {
  const int64_t n = 24;
  const at::Tensor u = unit(n, "u"), v = unit(n, "v"), noise = normal_matrix(n, n, 1, "z");
  // Far above the noise normalized GD and Muon both step along u vᵀ by the step's length there.
  Escape spectral({n, 1, 1e-6}, EscapeRule::gd, StepLength::equal_spectral, 0.5, 1);
  spectral.advance(noise, u, v);
  EXPECT_NEAR(spectral.position(), 1.5, 1e-4);
  Escape frobenius({n, 1, 1e-6}, EscapeRule::gd, StepLength::equal_rms, 0.5, 1);
  frobenius.advance(noise, u, v);
  EXPECT_NEAR(frobenius.position(), 1 + 0.5 * std::sqrt(24.0), 1e-4);
}

TEST(SaddleModel, TheSpectralNormOfALargeMatrix) {
  const at::Tensor noise = normal_matrix(150, 150, 1, "z");
  const double exact = at::linalg_svdvals(noise)[0].item<double>();
  EXPECT_NEAR(spectral_norm(noise) / exact, 1, 2e-3);
}

}  // namespace
}  // namespace muonlab::theory
