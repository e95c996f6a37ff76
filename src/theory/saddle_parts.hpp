// The parts of the experiment `saddle`; each adds its tables, plots and claims to the result.
#pragma once

#include "muonlab/theory/saddle.hpp"
#include "saddle_model.hpp"

namespace muonlab::theory {

void escapes(const SaddleConfig& config, Context& context, Result& result);
// How fast the rules grow s far below the noise, against our closed forms.
void drifts(const SaddleConfig& config, Context& context, Result& result);
// Two layers from initial weights near zero.
void factorization(const SaddleConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory
