#include "dynamics_law.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace muonlab::theory {

GapLaw::GapLaw(double facts, double noise)
    : facts_(facts),
      noise_(noise),
      target_(1 - noise + noise / facts),
      optimum_(noise > 0 ? std::log1p(facts * (1 - noise) / noise)
                         : std::numeric_limits<double>::infinity()) {}

double GapLaw::probability(double gap) const { return 1 / (1 + (facts_ - 1) * std::exp(-gap)); }

double GapLaw::excess(double gap) const {
  const double loss = std::log1p((facts_ - 1) * std::exp(-gap));
  if (noise_ == 0) return loss;
  // -p* log p - (1 - p*) log((1 - p) / (K - 1)) less its value at the optimum.
  const double at_best = std::log1p((facts_ - 1) * std::exp(-optimum_));
  return loss - at_best + (1 - target_) * (gap - optimum_);
}

double GapLaw::gd(double gap, double step_times_frequency) const {
  return gap + step_times_frequency * facts_ / (facts_ - 1) * (target_ - probability(gap));
}

double GapLaw::muon(double gap, double step) const {
  const double error = target_ - probability(gap);
  return gap + (error > 0 ? step : error < 0 ? -step : 0);
}

double GapLaw::oscillation(double step) const {
  return 0.5 * target_ * (1 - target_) * step * step;
}

std::vector<double> gd_excess(const GapLaw& law, std::span<const double> p,
                              std::span<const int64_t> steps, const std::function<void()>& tick) {
  constexpr int64_t kBetweenTicks = 1 << 20;  // recursions, which take some 20 ms
  int64_t done = 0;
  const double largest = *std::ranges::max_element(p);
  std::vector<double> out(steps.size(), 0.0);
  for (const double frequency : p) {
    double gap = 0;
    int64_t t = 0;
    for (size_t i = 0; i < steps.size(); ++i) {
      for (; t < steps[i]; ++t) {
        if (done++ % kBetweenTicks == 0) tick();
        gap = law.gd(gap, frequency / largest);
      }
      out[i] += frequency * law.excess(gap);
    }
  }
  return out;
}

}  // namespace muonlab::theory
