// Several steps of regularized Muon on the associative memory: the theorem's, which forgets facts
// already recovered, and the authors' conjecture, which does not.
#pragma once

#include <functional>
#include <vector>

#include "muonlab/theory/capacity.hpp"

namespace muonlab::theory::capacity {

// thresholded: the gradient leaves out facts that were recovered before; exact: it does not.
enum class PathKind { thresholded, exact };

struct Path {
  std::vector<double> counts;  // facts recovered after each step
  std::vector<double> losses;
};
// tick() is called before every step.
Path follow(
    const CapacityConfig& config, int64_t width, int64_t seed, PathKind kind,
    const std::function<void()>& tick = [] {});

// Both kinds over the widths: claims, tables and plots.
void run_paths(const CapacityConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory::capacity
