#include <algorithm>
#include <tuple>

#include "muonlab/base/error.hpp"
#include "muonlab/config/routing.hpp"
#include "muonlab/optim/routing.hpp"

namespace muonlab::optim {
namespace {

using config::ParameterSpec;

// Layout key: matrices first, those of one shape together and next to their transposes, vectors
// last.
std::tuple<int, int64_t, int64_t, int64_t> shape_key(const ParameterSpec& spec) {
  if (spec.shape.size() != 2) return {1, spec.count(), 0, 0};
  const int64_t r = spec.shape[0], c = spec.shape[1];
  return {0, std::min(r, c), std::max(r, c), r};
}

}  // namespace

Routing route(const std::vector<ParameterSpec>& specs, const config::RunConfig& run) {
  Routing routing{specs, {}, config::first_matches(run.assign, specs), {}};
  for (size_t i = 0; i < specs.size(); ++i) {
    base::check(routing.assignment[i] != config::kNoLine,
                "route: no line of assign covers " + specs[i].name);
    routing.optimizer.push_back(run.assign[routing.assignment[i]].optimizer);
    routing.order.push_back(i);
  }
  // An optimizer's place is that of the first line that names it.
  const auto place = [&](size_t i) {
    const auto named = [&](const config::AssignConfig& line) {
      return line.optimizer == routing.optimizer[i];
    };
    return std::find_if(run.assign.begin(), run.assign.end(), named) - run.assign.begin();
  };
  std::sort(routing.order.begin(), routing.order.end(), [&](size_t a, size_t b) {
    return std::tuple(place(a), shape_key(specs[a]), a) <
           std::tuple(place(b), shape_key(specs[b]), b);
  });
  return routing;
}

}  // namespace muonlab::optim
