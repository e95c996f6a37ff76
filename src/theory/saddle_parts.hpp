// The parts of the experiment `saddle`; each adds its tables, plots and claims to the result.
#pragma once

#include <cmath>
#include <map>
#include <numbers>

#include "muonlab/theory/saddle.hpp"
#include "saddle_model.hpp"

namespace muonlab::theory {

// How much a step of unit RMS grows s far below the noise, in units of μs/(σ√n).
inline constexpr double kMuonDrift = 8 / (3 * std::numbers::pi);  // of square matrices
inline const double kSignDrift = std::sqrt(2 / std::numbers::pi);

struct EscapeKey {
  bool gap;
  StepLength length;
  EscapeRule rule;
  auto operator<=>(const EscapeKey&) const = default;
};
// Mean steps to escape by size; NaN where a run did not.
using EscapeCurves = std::map<EscapeKey, std::map<int64_t, double>>;

// A random direction, length 1, double [n].
at::Tensor unit_vector(int64_t n, int64_t seed, const std::string& stream);

void escapes(const SaddleConfig& config, Context& context, Result& result);
void escape_claims(const SaddleConfig& config, EscapeCurves& curves, Result& result);
// How fast the rules grow s far below the noise, against our closed forms.
void drifts(const SaddleConfig& config, Context& context, Result& result);
// Two layers from initial weights near zero.
void factorization(const SaddleConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory
