// A small transformer trained on ZipfText, with the sharpness of its steps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "muonlab/theory/curvature.hpp"
#include "muonlab/train/sharpness.hpp"

namespace muonlab::theory {

struct ProbedStep {
  int64_t step = 0;
  double held_out = 0;  // loss on other sequences of the same text, before the step
  train::Sharpness sharpness;
};

// Two layers of width 64. Adam on everything, or Muon on the matrices and Adam on the rest.
// Measures what steps 1 + k * every do to the matrices. Deterministic in the seed.
std::vector<ProbedStep> train_on_zipf(const CurvatureConfig& config, bool muon, double exponent,
                                      int64_t seed, Context& context, double progress);

// Both optimizers on every text: claims, tables and plots. REQUIRES: config.zipf is not empty.
void run_zipf(const CurvatureConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory
