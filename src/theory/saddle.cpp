#include "muonlab/theory/saddle.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/theory/matrices.hpp"
#include "saddle_parts.hpp"

namespace muonlab::theory {

at::Tensor unit_vector(int64_t n, int64_t seed, const std::string& stream) {
  const at::Tensor x = normal_matrix(n, 1, seed, stream).squeeze(1);
  return x / x.norm();
}

void SaddleConfig::check(const config::Fail& fail) const {
  const auto ascending = [&](const char* name, const std::vector<int64_t>& sizes) {
    if (sizes.size() < 2) fail(name, "has fewer than two sizes to compare");
    if (!std::ranges::is_sorted(sizes) || std::ranges::adjacent_find(sizes) != sizes.end())
      fail(name, "is not ascending");
  };
  ascending("sizes", sizes);
  ascending("entry_sizes", entry_sizes);
  ascending("factor_sizes", factor_sizes);
  if (factor_starts.size() < 3) fail("factor_starts", "has fewer than three scales for a fit");
  if (!std::ranges::is_sorted(factor_starts, std::greater<>()))
    fail("factor_starts", "is not descending");
}

void drifts(const SaddleConfig& config, Context& context, Result& result) {
  constexpr int64_t kSize = 128, kDraws = 40;
  const double root = std::sqrt(static_cast<double>(kSize));
  const double start = 0.25 * config.noise * root / config.curvature;
  const Saddle saddle{kSize, config.curvature, config.noise};
  std::vector<double> muon, sign;
  for (int64_t draw = 0; draw < kDraws; ++draw) {
    context.progress("drift below the noise", 0.92);
    const std::string name = base::str("drift ", draw);
    const at::Tensor noise = normal_matrix(kSize, kSize, config.seed, name),
                     u = unit_vector(kSize, config.seed, name + " u"),
                     v = unit_vector(kSize, config.seed, name + " v");
    for (auto [rule, gains] :
         {std::pair{EscapeRule::muon, &muon}, std::pair{EscapeRule::sign, &sign}}) {
      // Noise and its negative: what is odd in the noise cancels.
      double gain = 0;
      for (double side : {1.0, -1.0}) {
        Escape escape(saddle, rule, StepLength::equal_rms, 1, start);
        escape.advance(side * noise, u, v);
        gain += 0.5 * (escape.position() - start);
      }
      gains->push_back(gain * root * config.noise / (config.curvature * start));
    }
  }
  const auto claim = [&](const char* statement, const std::vector<double>& gains, double theory) {
    result.claims.push_back({.statement = statement,
                             .owner = ClaimOwner::ours,
                             .measured = base::mean(gains),
                             .predicted = theory,
                             .accepted = within_share(theory, 0.05),
                             .confidence = base::mean_interval(gains),
                             .note = base::str("n = ", kSize, ", ", kDraws, " draws.")});
  };
  claim("Below the noise Muon's step grows s by 8/(3π) ημs/(σ√n).", muon, kMuonDrift);
  claim("At equal RMS SignGD's step grows s by √(2/π) ημs/(σ√n) there.", sign, kSignDrift);
}

void run(const SaddleConfig& config, Context& context, Result& result) {
  result.remarks = {
      "The text of the paper could not be had beyond its first page. Its test functions, its gap "
      "condition and its bound are not known here; the model is ours.",
      "Steps are compared in three ways. With the same RMS of a step’s entries, Muon and the "
      "others have the same Frobenius norm. With the same spectral norm, no step is longer than "
      "Muon’s in any direction. With entries of 1/n, the Frobenius norm is η instead of η√n.",
      "Adam has β = (0.9, 0.999), and its direction is rescaled to the length, too."};
  escapes(config, context, result);
  drifts(config, context, result);
  factorization(config, context, result);
}

}  // namespace muonlab::theory
