// How soon a row reaches the final validation loss of the baseline. A gain in loss says little to
// who pays for steps; this says how many of them the row would have saved.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "muonlab/base/statistics.hpp"

namespace muonlab::study {

// Validation losses by step, ascending.
using LossCurve = std::vector<std::pair<int64_t, double>>;

// The first step at which the loss is at or below the target, by linear interpolation between two
// validations; as exact as their distance. Absent where it never is.
std::optional<double> step_reaching(const LossCurve& curve, double target);

struct Reach {
  int64_t num_seeds = 0;    // with a curve of the row and of the baseline
  int64_t num_reached = 0;  // of those, seeds whose curve reaches the baseline's final loss
  // Steps of the row over all steps of the baseline, geometric mean over seeds. Absent unless every
  // seed reached: a mean over those that did would favour the row.
  std::optional<double> share{};
  std::optional<base::Interval>
      interval{};  // 95 %, Student's t of the logarithms; two seeds and more
};
// Seed by seed, each against the baseline's own final loss; absent without a seed of both.
std::optional<Reach> reach_of(const std::map<int64_t, LossCurve>& row,
                              const std::map<int64_t, LossCurve>& baseline);

}  // namespace muonlab::study
