// What the papers and we say about the steps to escape.
#include <cmath>
#include <limits>
#include <ranges>

#include "muonlab/theory/extreme.hpp"
#include "saddle_parts.hpp"

namespace muonlab::theory {
namespace {

// Of the steps at the largest size to those at the smallest.
double growth_of(const std::map<int64_t, double>& steps) {
  return steps.empty() ? std::numeric_limits<double>::quiet_NaN()
                       : steps.rbegin()->second / steps.begin()->second;
}

double spread_of(const std::map<int64_t, double>& steps) {
  return largest_of(steps | std::views::values) / least_of(steps | std::views::values);
}

}  // namespace

void escape_claims(const SaddleConfig& config, EscapeCurves& curves, Result& result) {
  const auto curve = [&](bool gap, StepLength length, EscapeRule rule) {
    return curves[{gap, length, rule}];
  };
  const auto muon_gap = curve(true, StepLength::equal_rms, EscapeRule::muon),
             muon_none = curve(false, StepLength::equal_rms, EscapeRule::muon),
             sign_gap = curve(true, StepLength::entry, EscapeRule::sign),
             sign_none = curve(false, StepLength::entry, EscapeRule::sign);
  result.claims.push_back({.statement = "With a spectral gap Muon's steps to escape do not depend "
                                        "on the dimension (largest by smallest over all n).",
                           .source = "abstract",
                           .measured = spread_of(muon_gap),
                           .predicted = 1,
                           .accepted = {1, 1.05}});
  result.claims.push_back({.statement = "With a gap Muon adds η to uᵀWv a step, so that it needs "
                                        "distance/η steps (at the largest n).",
                           .owner = ClaimOwner::ours,
                           .measured = muon_gap.rbegin()->second,
                           .predicted = config.distance / config.step,
                           .accepted = within_share(config.distance / config.step, 0.1)});
  result.claims.push_back({.statement = "Without a gap Muon's steps grow with the dimension, too "
                                        "(largest n by smallest).",
                           .source = "abstract: the bound needs the gap",
                           .measured = growth_of(muon_none),
                           .accepted = at_least(1.15)});
  result.claims.push_back({.statement = "SignGD with entries of 1/n needs more steps the larger n, "
                                        "with a gap (largest n by smallest).",
                           .source = "abstract, for this step length",
                           .measured = growth_of(sign_gap),
                           .accepted = at_least(1.4)});
  result.claims.push_back({.statement = "SignGD with entries of 1/n needs more steps the larger n, "
                                        "without a gap (largest n by smallest).",
                           .source = "abstract, for this step length",
                           .measured = growth_of(sign_none),
                           .accepted = at_least(3)});
  const auto largest = static_cast<double>(sign_none.rbegin()->first);
  const double start =
      config.start_without_gap * config.noise * std::sqrt(largest) / config.curvature;
  const double predicted = largest * config.noise / (config.curvature * config.step * kSignDrift) *
                           std::log1p(config.distance / start);
  result.claims.push_back(
      {.statement =
           "Without a gap SignGD with entries of 1/n needs n σ log(1 + R/s₀) / (ημ √(2/π)) "
           "steps (at the largest n).",
       .owner = ClaimOwner::ours,
       .measured = sign_none.rbegin()->second,
       .predicted = predicted,
       .accepted = within_share(predicted, 0.1)});
  Largest worst;
  for (bool gap : {true, false}) {
    const auto sign = curve(gap, StepLength::equal_rms, EscapeRule::sign),
               muon = curve(gap, StepLength::equal_rms, EscapeRule::muon);
    for (const auto& [n, mean] : muon) worst.add(sign.at(n) / mean);
  }
  result.claims.push_back(
      {.statement = "At equal RMS of the step SignGD is not slower than Muon in this model, at any "
                    "n, with and without a gap (largest ratio of steps).",
       .owner = ClaimOwner::ours,
       .measured = worst.value(),
       .accepted = at_most(1),
       .note = "Who is free of the dimension depends on how steps are made comparable."});
  const auto sign_rms = curve(false, StepLength::equal_rms, EscapeRule::sign);
  result.claims.push_back({.statement =
                               "At equal RMS, without a gap, the ratio of SignGD's steps to "
                               "Muon's tends to about 0.85 (at the largest n).",
                           .owner = ClaimOwner::ours,
                           .measured = sign_rms.rbegin()->second / muon_none.rbegin()->second,
                           .predicted = 0.85,
                           .accepted = within(0.85, 0.1)});
}

}  // namespace muonlab::theory
