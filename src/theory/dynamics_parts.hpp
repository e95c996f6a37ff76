// The parts of the experiment `dynamics`; each adds its tables, plots and claims to the result.
#pragma once

#include "dynamics_law.hpp"
#include "groups.hpp"
#include "muonlab/theory/dynamics.hpp"

namespace muonlab::theory {

void noiseless(const DynamicsConfig& config, Context& context, Result& result);
void two_phases(const DynamicsConfig& config, Context& context, Result& result);
void scaling_laws(const DynamicsConfig& config, Context& context, Result& result);
void random_embeddings(const DynamicsConfig& config, Context& context, Result& result);

// Muon's excess loss after each step, by the exact reduction.
std::vector<double> muon_path(const GroupedMemory& memory, double step, int64_t steps,
                              Context& context, const std::string& what, double share);

}  // namespace muonlab::theory
