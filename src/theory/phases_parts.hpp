// The parts of the experiment `phases`, each with its claims, tables and plots.
#pragma once

#include "muonlab/theory/phases.hpp"

namespace muonlab::theory::phases {

// Simulations beside the laws: noise floors, limits of the learning rate, losses.
void run_simulations(const PhasesConfig& config, Context& context, Result& result);
// Drift of each mode against its eigenvalue, at three batch sizes.
void run_drifts(const PhasesConfig& config, Context& context, Result& result);
// The equations over exponents of covariance and target: who wins early and late.
void run_map(const PhasesConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory::phases
