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

// Where Muon's path without noise ends.
inline constexpr double kSmallLoss = 1e-8;
// GD without noise: the steps after which the rarest of the groups is learnt. Its curve continues
// for two decades.
double steps_to_learn(int64_t groups, double exponent, double facts);
inline constexpr double kDecadesBeyond = 100;
// The two phases are followed at noisy_step and at steps down to this many times smaller.
inline constexpr double kLargestRefinement = 4;

// The number of groups with which Muon's paths with label noise are followed.
inline int64_t middle(const std::vector<int64_t>& values) { return values[values.size() / 2]; }

// Muon's excess loss after each step, by the exact reduction.
std::vector<double> muon_path(const GroupedMemory& memory, double step, int64_t steps,
                              Context& context, const std::string& what, double share);

}  // namespace muonlab::theory
