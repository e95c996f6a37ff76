// A learning-rate finder: the range test of Smith (arXiv 1506.01186). Training steps with learning
// rates that grow from step to step show where the loss falls and where it no longer does.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "muonlab/config/run.hpp"

namespace muonlab::run {

struct RateRange {
  double low = 0.01, high = 100;  // factors on the learning rates of the configuration
  int64_t steps = 100;            // from low to high, by equal ratios
};

struct RatePoint {
  double factor, loss;  // of the batch before the update with that factor
  double smooth = 0;    // mean over nine losses around it
};

struct RateProposal {
  double factor = 1;    // what to multiply the learning rates with
  double steepest = 1;  // where the smoothed loss falls fastest
  bool inside = true;   // whether that is not at an end of the test
};

// The configuration as the test trains it: constant schedules, without warm-up or averaging, as
// many steps as the range has.
config::RunConfig constant_rates(config::RunConfig config, const RateRange& range);

// Trains anew from the initial weights; nothing is written. Ends early where the loss is not finite
// or more than a nat above the first one. `watch` is told of each point.
std::vector<RatePoint> test_rates(const config::RunConfig& config, const RateRange& range,
                                  const std::function<void(const RatePoint&)>& watch);

// Twice the factor at which the smoothed loss falls fastest. At two small models the best constant
// learning rates were 1.4 to 4 times that factor (docs/experiments.md). `points`: at least one.
RateProposal propose_rate(const std::vector<RatePoint>& points);

}  // namespace muonlab::run
