#include "muonlab/optim/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace muonlab::optim {
namespace {

// Place of `step` between `begin` (0) and `end` (1).
double progress(double step, double begin, double end) {
  if (end <= begin) return 0.0;
  return std::clamp((step - begin) / (end - begin), 0.0, 1.0);
}

// 1 to `final` as 1 - t^power. A power of one is left out, so that it costs no rounding.
double fall(double t, double final, double power) {
  return 1.0 + (final - 1.0) * (power == 1.0 ? t : std::pow(t, power));
}

// The step that has the full rate first: the end of the warm-up, or step 1.
double peak_step(int64_t warmup) { return static_cast<double>(std::max<int64_t>(warmup, 1)); }

struct AfterWarmup {
  double step, num_steps;
  int64_t warmup;

  double operator()(const config::ConstantSchedule&) const { return 1.0; }
  double operator()(const config::LinearSchedule& s) const {
    return fall(progress(step, peak_step(warmup), num_steps), s.final, s.power);
  }
  double operator()(const config::CosineSchedule& s) const {
    const double done = progress(step, peak_step(warmup), num_steps);
    return s.final + (1.0 - s.final) * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  }
  double operator()(const config::InverseSqrtSchedule&) const {
    return std::sqrt(peak_step(warmup) / step);
  }
  double operator()(const config::WsdSchedule& s) const {
    const double constant = s.decay_steps ? num_steps - static_cast<double>(*s.decay_steps)
                                          : num_steps * (1.0 - s.decay_fraction);
    const double begin = std::max(peak_step(warmup), constant);
    return fall(progress(step, begin, num_steps), s.final, s.power);
  }
};

}  // namespace

double schedule_multiplier(const config::ScheduleConfig& schedule, int64_t step,
                           int64_t num_steps) {
  const int64_t warmup =
      std::visit([&](const auto& s) { return config::warmup_steps(s, num_steps); }, schedule);
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
  return std::visit(AfterWarmup{static_cast<double>(step), static_cast<double>(num_steps), warmup},
                    schedule);
}

}  // namespace muonlab::optim
