#include "muonlab/study/ablation/reach.hpp"

#include <algorithm>
#include <cmath>

namespace muonlab::study {

std::optional<double> step_reaching(const LossCurve& curve, double target) {
  for (size_t i = 0; i < curve.size(); ++i) {
    const auto& [step, loss] = curve[i];
    if (!(loss <= target)) continue;
    const auto here = static_cast<double>(step);
    if (i == 0 || !std::isfinite(curve[i - 1].second)) return here;
    const auto& [step_before, loss_before] = curve[i - 1];
    const auto before = static_cast<double>(step_before);
    return before + (loss_before - target) / (loss_before - loss) * (here - before);
  }
  return std::nullopt;
}

std::optional<Reach> reach_of(const std::map<int64_t, LossCurve>& row,
                              const std::map<int64_t, LossCurve>& baseline) {
  Reach reach;
  std::vector<double> logs;
  for (const auto& [seed, curve] : row) {
    const auto other = baseline.find(seed);
    if (other == baseline.end() || other->second.size() < 2 || curve.size() < 2) continue;
    const auto [steps, target] = other->second.back();
    if (!std::isfinite(target) || steps <= 0) continue;
    ++reach.num_seeds;
    const std::optional<double> reached = step_reaching(curve, target);
    if (reached && *reached > 0) logs.push_back(std::log(*reached / static_cast<double>(steps)));
  }
  if (reach.num_seeds == 0) return std::nullopt;
  reach.num_reached = static_cast<int64_t>(logs.size());
  if (reach.num_reached < reach.num_seeds) return reach;
  reach.share = std::exp(base::mean(logs));
  if (logs.size() < 2) return reach;
  const base::Interval interval = base::mean_interval(logs);
  reach.interval = {std::exp(interval.low), std::exp(interval.high)};
  return reach;
}

}  // namespace muonlab::study
