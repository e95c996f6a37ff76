// Schedules of the learning rate.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "muonlab/config/field.hpp"

namespace muonlab::config {

// Every schedule is a multiplier of the learning rate, a pure function of step (1-based) and the
// number of steps. Warm-up is linear from lr/warmup at step 1 to lr at step `warmup`. Its length is
// given in one of three ways.
struct WarmUp {
  int64_t warmup = 0;
  std::optional<int64_t> warmup_tokens;
  std::optional<double> warmup_fraction;
  bool operator==(const WarmUp&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("warmup", self.warmup, Field{.help = "steps of linear warm-up", .min = 0});
    more_fields(self, visit);
  }
  template <class Self, class Visit>
  static void more_fields(Self& self, Visit&& visit) {
    visit("warmup_tokens", self.warmup_tokens,
          Field{.help = "the warm-up in tokens, instead of steps", .min = 1, .max = 1e15});
    visit("warmup_fraction", self.warmup_fraction,
          Field{.help = "the warm-up as a share of the run, instead of steps", .min = 0, .max = 1});
  }
};
struct ConstantSchedule : WarmUp {
  static constexpr std::string_view kName = "constant";
  bool operator==(const ConstantSchedule&) const = default;
};
struct LinearSchedule : WarmUp {
  static constexpr std::string_view kName = "linear";
  double final = 0.0;
  double power = 1.0;
  bool operator==(const LinearSchedule&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    WarmUp::fields(self, visit);
    visit("final", self.final, Field{.help = "multiplier at the last step", .min = 0, .max = 1});
    visit("power", self.power,
          Field{.help = "the multiplier falls as 1 - t^power; 1: linear, 0.5: 1 - sqrt(t)",
                .min = 0,
                .max = 100,
                .above_min = true,
                .quiet = true});
  }
};
struct CosineSchedule : WarmUp {
  static constexpr std::string_view kName = "cosine";
  double final = 0.0;
  bool operator==(const CosineSchedule&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    WarmUp::fields(self, visit);
    visit("final", self.final, Field{.help = "multiplier at the last step", .min = 0, .max = 1});
  }
};
struct InverseSqrtSchedule : WarmUp {
  static constexpr std::string_view kName = "inverse_sqrt";
  InverseSqrtSchedule() { warmup = 100; }
  bool operator==(const InverseSqrtSchedule&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("warmup", self.warmup,
          Field{.help = "steps of linear warm-up; then sqrt(warmup / step)", .min = 1});
    WarmUp::more_fields(self, visit);
  }
};
struct WsdSchedule : WarmUp {
  static constexpr std::string_view kName = "wsd";
  double decay_fraction = 0.2;
  std::optional<int64_t> decay_steps, decay_tokens;
  double final = 0.0;
  double power = 1.0;
  bool operator==(const WsdSchedule&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    WarmUp::fields(self, visit);
    visit("decay_fraction", self.decay_fraction,
          Field{.help = "fraction of the run, at its end, in which the multiplier falls to final",
                .min = 0,
                .max = 1});
    visit("decay_steps", self.decay_steps,
          Field{.help = "the decay in steps, instead of a share of the run", .min = 1});
    visit(
        "decay_tokens", self.decay_tokens,
        Field{.help = "the decay in tokens, instead of a share of the run", .min = 1, .max = 1e15});
    visit("final", self.final, Field{.help = "multiplier at the last step", .min = 0, .max = 1});
    visit("power", self.power,
          Field{.help = "the decay is 1 - t^power; 1: linear, 0.5: 1 - sqrt(t)",
                .min = 0,
                .max = 100,
                .above_min = true,
                .quiet = true});
  }
};
using ScheduleConfig = std::variant<ConstantSchedule, LinearSchedule, CosineSchedule,
                                    InverseSqrtSchedule, WsdSchedule>;
template <>
struct TagOf<ScheduleConfig> {
  static constexpr std::string_view key = "kind";
};

// Lengths in steps of a schedule whose tokens have become steps (schedule_of, resolve.hpp).
inline int64_t warmup_steps(const WarmUp& schedule, int64_t num_steps) {
  if (!schedule.warmup_fraction) return schedule.warmup;
  return std::llround(*schedule.warmup_fraction * static_cast<double>(num_steps));
}
inline double decay_length(const WsdSchedule& schedule, int64_t num_steps) {
  if (schedule.decay_steps) return static_cast<double>(*schedule.decay_steps);
  return static_cast<double>(num_steps) * schedule.decay_fraction;
}

}  // namespace muonlab::config
