// The parts of the experiment capacity: one step on the population, one step on a batch. Several
// steps are in capacity_path.hpp.
#pragma once

#include "capacity_model.hpp"
#include "muonlab/theory/capacity.hpp"

namespace muonlab::theory::capacity {

int64_t num_facts(const CapacityConfig& config, int64_t width);
// Facts beyond these are recovered by chance alone.
int64_t num_asked(const CapacityConfig& config, int64_t width);
// The largest batch whose recovered facts are counted at a width.
double largest_batch(double alpha, int64_t width);
// How many of the first `asked` facts are recovered.
double num_recovered(const GaussianMemory& memory, const at::Tensor& weights, int64_t asked);

// Each adds its claims, tables and plots.
void run_one_step(const CapacityConfig& config, Context& context, Result& result);
void run_batches(const CapacityConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory::capacity
