// Which optimizer each parameter has, and what a person sees of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "muonlab/config/run.hpp"

namespace muonlab::optim {

// Exactly one line of assign a parameter. Index i is into the specs that were routed.
struct Routing {
  std::vector<config::ParameterSpec> specs;
  std::vector<std::string> optimizer;  // name of the optimizer of parameter i
  std::vector<size_t> assignment;      // index of the assign line that matched
  // layout for tensor::Arena: by optimizer, then shape, then model order
  std::vector<size_t> order;
};

// By config::first_matches. REQUIRES: `run` is loaded or resolved, which refuses gaps, unknown
// optimizers and vectors for rules that update matrices only.
Routing route(const std::vector<config::ParameterSpec>& specs, const config::RunConfig& run);
// The table printed at the start, for a terminal of `width` columns, and the one stored as
// assignment.tsv.
std::string routing_table(const Routing& routing, const config::RunConfig& run,
                          size_t width = SIZE_MAX);
std::string routing_tsv(const Routing& routing, const config::RunConfig& run);

}  // namespace muonlab::optim
