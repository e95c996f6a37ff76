// Rules that work on single weights, or on rows and columns.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "muonlab/config/field.hpp"
#include "muonlab/config/schedule.hpp"
#include "muonlab/config/update_options.hpp"

namespace muonlab::config {

struct AdamWConfig : UpdateOptions {
  static constexpr std::string_view kName = "adamw";
  static constexpr bool kMatricesOnly = false, kKeepsAge = true;
  static constexpr MomentNames moments() { return {"exp_avg", "exp_avg_sq"}; }
  double lr = 1e-3;
  std::array<double, 2> betas{0.8, 0.95};
  double eps = 1e-8;
  double decay = 0.0;
  std::optional<ScheduleConfig> schedule;
  bool operator==(const AdamWConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("lr", self.lr, Field{.help = "learning rate", .min = 0});
    visit("betas", self.betas,
          Field{.help = "decay of the first and second moments", .min = 0, .max = 0.999999});
    visit("eps", self.eps, Field{.help = "added to the root of the second moment", .min = 0});
    visit("decay", self.decay,
          Field{.help = "decoupled weight decay, times the learning rate", .min = 0});
    UpdateOptions::option_fields(self, visit);
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

struct SgdConfig : UpdateOptions {
  static constexpr std::string_view kName = "sgd";
  static constexpr bool kMatricesOnly = false, kKeepsAge = false;
  MomentNames moments() const { return {.first = momentum > 0 ? "momentum" : ""}; }
  double lr = 0.1;
  double momentum = 0.9;
  bool nesterov = false;
  double decay = 0.0;
  std::optional<ScheduleConfig> schedule;
  bool operator==(const SgdConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("lr", self.lr, Field{.help = "learning rate", .min = 0});
    visit("momentum", self.momentum,
          Field{.help = "momentum, as a sum; 0: none", .min = 0, .max = 0.999999});
    visit("nesterov", self.nesterov, Field{.help = "look ahead by one step of momentum"});
    visit("decay", self.decay,
          Field{.help = "decoupled weight decay, times the learning rate", .min = 0});
    UpdateOptions::option_fields(self, visit);
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

struct SignSgdConfig : UpdateOptions {
  static constexpr std::string_view kName = "signsgd";
  static constexpr bool kMatricesOnly = false, kKeepsAge = false;
  MomentNames moments() const { return {.first = momentum > 0 ? "momentum_average" : ""}; }
  double lr = 1e-3;
  double momentum = 0.0;
  double decay = 0.0;
  std::optional<ScheduleConfig> schedule;
  bool operator==(const SignSgdConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("lr", self.lr, Field{.help = "learning rate", .min = 0});
    visit(
        "momentum", self.momentum,
        Field{.help = "average of gradients before the sign; 0: none", .min = 0, .max = 0.999999});
    visit("decay", self.decay,
          Field{.help = "decoupled weight decay, times the learning rate", .min = 0});
    UpdateOptions::option_fields(self, visit);
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

// Lion (arXiv 2302.06675): the sign of b1 m + (1 - b1) g, then m <- b2 m + (1 - b2) g.
struct LionConfig : UpdateOptions {
  static constexpr std::string_view kName = "lion";
  static constexpr bool kMatricesOnly = false, kKeepsAge = false;
  static constexpr MomentNames moments() { return {.first = "momentum_average"}; }
  double lr = 1e-4;
  std::array<double, 2> betas{0.9, 0.99};
  double decay = 0.0;
  std::optional<ScheduleConfig> schedule;
  bool operator==(const LionConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("lr", self.lr, Field{.help = "learning rate", .min = 0});
    visit("betas", self.betas,
          Field{.help = "share of the old average in the direction, and in the next average",
                .min = 0,
                .max = 0.999999});
    visit("decay", self.decay,
          Field{.help = "decoupled weight decay, times the learning rate", .min = 0});
    UpdateOptions::option_fields(self, visit);
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

// Ember (arXiv 2607.01455), for embedding and head: Adam without a first moment, with a second
// moment in two factors, the mean squares of rows and of columns.
struct EmberConfig : UpdateOptions {
  static constexpr std::string_view kName = "ember";
  static constexpr bool kMatricesOnly = true, kKeepsAge = true;
  static constexpr MomentNames moments() { return {}; }
  double lr = 1e-3;
  double beta2 = 0.999;
  double eps = 1e-8;
  double decay = 0.0;
  std::optional<ScheduleConfig> schedule;
  bool operator==(const EmberConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("lr", self.lr, Field{.help = "learning rate", .min = 0});
    visit(
        "beta2", self.beta2,
        Field{.help = "decay of the mean squares of rows and columns", .min = 0, .max = 0.999999});
    visit("eps", self.eps, Field{.help = "added to the root of the second moment", .min = 0});
    visit("decay", self.decay,
          Field{.help = "decoupled weight decay, times the learning rate", .min = 0});
    UpdateOptions::option_fields(self, visit);
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

}  // namespace muonlab::config
