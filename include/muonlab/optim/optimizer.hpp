// Routing of parameters to rules, and the update of all of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "muonlab/config/run.hpp"
#include "muonlab/tensor/parameter.hpp"

namespace muonlab::optim {

// Exactly one assignment a parameter. Index i is into the specs that were routed.
struct Routing {
  std::vector<config::ParameterSpec> specs;
  std::vector<std::string> optimizer;  // name of the optimizer of parameter i
  std::vector<size_t> assignment;      // index of the assign line that matched
  // layout for tensor::Arena: by optimizer, then shape, then model order
  std::vector<size_t> order;
};

// Throws base::Error naming an uncovered parameter, a line that matches nothing (or only what
// earlier lines took), a name that is no optimizer, and pairs that cannot work (muon on a vector).
// All problems in one message.
Routing route(const std::vector<config::ParameterSpec>& specs, const config::RunConfig& run);
// The table printed at the start (design: look-and-feel) and the one stored as assignment.tsv.
std::string routing_table(const Routing& routing, const config::RunConfig& run);
std::string routing_tsv(const Routing& routing, const config::RunConfig& run);

// Multiplier of the learning rate at a step (1-based) of a run of `num_steps`.
double schedule_multiplier(const config::ScheduleConfig& schedule, int64_t step, int64_t num_steps);

// All rules over an arena.
class Optimizer {
 public:
  Optimizer(const Routing& routing, const config::RunConfig& run, tensor::Arena& arena);
  ~Optimizer();
  // Learning rate of each optimizer (in the order of names()) at a step.
  std::vector<double> learning_rates(int64_t step, int64_t num_steps) const;
  const std::vector<std::string>& names() const;
  // One update of every parameter from the gradients in the arena, which it leaves as they are.
  void step(int64_t step, int64_t num_steps);
  // State tensors by name ("model.layers.0.self_attn.v_proj.weight/momentum"), views that can be
  // read and written; scalars that the rules keep are functions of the step, so there are none.
  std::vector<tensor::NamedTensor> state();
  // Newton–Schulz calls so far (a test asserts that Muon really ran).
  int64_t num_orthogonalizations() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muonlab::optim
