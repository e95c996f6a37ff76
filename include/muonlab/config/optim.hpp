// Optimizers, schedules and the assignment of parameters to optimizers.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "muonlab/config/field.hpp"

namespace muonlab::config {

// Every schedule is a multiplier of the learning rate, a pure function of step (1-based) and the
// number of steps. Warm-up is linear from lr/warmup at step 1 to lr at step `warmup`.
struct ConstantSchedule {
  static constexpr std::string_view kName = "constant";
  int64_t warmup = 0;
  bool operator==(const ConstantSchedule&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("warmup", self.warmup, Field{.help = "steps of linear warm-up", .min = 0});
  }
};
struct LinearSchedule {
  static constexpr std::string_view kName = "linear";
  int64_t warmup = 0;
  double final = 0.0;
  bool operator==(const LinearSchedule&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("warmup", self.warmup, Field{.help = "steps of linear warm-up", .min = 0});
    visit("final", self.final, Field{.help = "multiplier at the last step", .min = 0, .max = 1});
  }
};
struct CosineSchedule {
  static constexpr std::string_view kName = "cosine";
  int64_t warmup = 0;
  double final = 0.0;
  bool operator==(const CosineSchedule&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("warmup", self.warmup, Field{.help = "steps of linear warm-up", .min = 0});
    visit("final", self.final, Field{.help = "multiplier at the last step", .min = 0, .max = 1});
  }
};
struct InverseSqrtSchedule {
  static constexpr std::string_view kName = "inverse_sqrt";
  int64_t warmup = 100;
  bool operator==(const InverseSqrtSchedule&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("warmup", self.warmup,
          Field{.help = "steps of linear warm-up; then sqrt(warmup / step)", .min = 1});
  }
};
struct WsdSchedule {
  static constexpr std::string_view kName = "wsd";
  int64_t warmup = 0;
  double decay_fraction = 0.2;
  double final = 0.0;
  bool operator==(const WsdSchedule&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("warmup", self.warmup, Field{.help = "steps of linear warm-up", .min = 0});
    visit("decay_fraction", self.decay_fraction,
          Field{.help = "fraction of the run, at its end, in which the multiplier decays linearly",
                .min = 0,
                .max = 1});
    visit("final", self.final, Field{.help = "multiplier at the last step", .min = 0, .max = 1});
  }
};
using ScheduleConfig = std::variant<ConstantSchedule, LinearSchedule, CosineSchedule,
                                    InverseSqrtSchedule, WsdSchedule>;
template <>
struct TagOf<ScheduleConfig> {
  static constexpr std::string_view key = "kind";
};

// The state tensors in which a rule keeps averages or sums of the gradient and of its square, by
// the names they have in a checkpoint; empty for none.
struct MomentNames {
  std::string_view first{}, second{};
};

// What the program has to know of a rule stands in its configuration struct, and nothing else asks
// which rule it is:
//   kMatricesOnly  a vector that is assigned to it is refused
//   kKeepsAge      it corrects young state, so the age of each parameter's state is kept with it
//   moments()      MomentNames

struct AdamWConfig {
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
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

struct SgdConfig {
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
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

struct SignSgdConfig {
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
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

enum class MomentumForm { sum, average };
template <>
struct EnumNames<MomentumForm> {
  static constexpr std::array<std::string_view, 2> names{"sum", "average"};
};
// Ways to the polar factor U Vᵀ (reference: muon.md §2): Keller Jordan's five equal steps,
// YouJiacheng's five, Polar Express (5 to 8 steps, safety factor in the coefficients), Keller x 8
// then (2, -1.5, 0.5) x 2, and an SVD in double.
enum class Orthogonalizer { keller, you, polar_express, exact, svd };
template <>
struct EnumNames<Orthogonalizer> {
  static constexpr std::array<std::string_view, 5> names{"keller", "you", "polar_express", "exact",
                                                         "svd"};
};
// The numbers of steps an orthogonalizer can take, and the usual one; an SVD takes none.
struct StepRange {
  int64_t least, most, usual;
};
constexpr StepRange step_range(Orthogonalizer orthogonalizer) {
  switch (orthogonalizer) {
    case Orthogonalizer::keller: return {1, 20, 5};
    case Orthogonalizer::you: return {5, 5, 5};
    case Orthogonalizer::polar_express: return {5, 8, 5};
    case Orthogonalizer::exact: return {10, 10, 10};
    case Orthogonalizer::svd: break;
  }
  return {0, 0, 0};
}
// Factor of the update of an r x c matrix.
enum class MuonScale { none, max_ratio, rms_adam, ratio };
template <>
struct EnumNames<MuonScale> {
  static constexpr std::array<std::string_view, 4> names{"none", "sqrt(max(1,r/c))",
                                                         "0.2*sqrt(max(r,c))", "sqrt(r/c)"};
};
enum class IterationType { automatic, fp32, bf16 };
template <>
struct EnumNames<IterationType> {
  static constexpr std::array<std::string_view, 3> names{"auto", "fp32", "bf16"};
};
// Singular values of the orthogonalized update: Muon's, all one; or random ones on the same
// singular vectors (Kaon, arXiv 2605.11181), a control for what the flat spectrum does.
enum class UpdateSpectrum { flat, random };
template <>
struct EnumNames<UpdateSpectrum> {
  static constexpr std::array<std::string_view, 2> names{"flat", "random"};
};

struct MuonConfig {
  static constexpr std::string_view kName = "muon";
  static constexpr bool kMatricesOnly = true, kKeepsAge = false;
  // The forms differ by 1 - momentum: another name keeps one from being taken for the other.
  MomentNames moments() const {
    return {.first = momentum_form == MomentumForm::sum ? "momentum" : "momentum_average"};
  }
  double lr = 0.01;
  double momentum = 0.95;
  MomentumForm momentum_form = MomentumForm::sum;
  bool nesterov = false;
  Orthogonalizer orthogonalizer = Orthogonalizer::keller;
  std::optional<int64_t> steps;
  MuonScale scale = MuonScale::none;
  double decay = 0.0;
  IterationType iteration = IterationType::automatic;
  bool per_head = false;
  UpdateSpectrum spectrum = UpdateSpectrum::flat;
  std::optional<ScheduleConfig> schedule;
  bool operator==(const MuonConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("lr", self.lr, Field{.help = "learning rate", .min = 0});
    visit("momentum", self.momentum, Field{.help = "momentum", .min = 0, .max = 0.999999});
    visit("momentum_form", self.momentum_form,
          Field{.help = "sum: mu B + G (the paper); average: mu B + (1 - mu) G"});
    visit("nesterov", self.nesterov, Field{.help = "look ahead by one step of momentum"});
    visit("orthogonalizer", self.orthogonalizer,
          Field{.help = "coefficients of the iteration, or an exact SVD"});
    visit(
        "steps", self.steps,
        Field{.help = "iterations; default: 5, for exact 10; keller takes 1-20, polar_express 5-8",
              .min = 1,
              .max = 20});
    visit("scale", self.scale, Field{.help = "factor of the update of an r x c matrix"});
    visit("decay", self.decay,
          Field{.help = "decoupled weight decay, times the learning rate", .min = 0});
    visit("iteration", self.iteration,
          Field{.help = "number type of the iteration; auto: bf16 where the run's precision is "
                        "bf16, else fp32"});
    visit("per_head", self.per_head, Field{.help = "orthogonalize each attention head separately"});
    visit("spectrum", self.spectrum,
          Field{.help = "singular values of the update; random: drawn again at each step, a "
                        "control (Kaon)"});
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

using OptimizerConfig = std::variant<AdamWConfig, SgdConfig, SignSgdConfig, MuonConfig>;
template <>
struct TagOf<OptimizerConfig> {
  static constexpr std::string_view key = "rule";
};
inline std::string_view rule_name(const OptimizerConfig& optimizer) {
  return std::visit([](const auto& rule) { return rule.kName; }, optimizer);
}
inline bool is_for_matrices_only(const OptimizerConfig& optimizer) {
  return std::visit([](const auto& rule) { return rule.kMatricesOnly; }, optimizer);
}
inline bool keeps_age(const OptimizerConfig& optimizer) {
  return std::visit([](const auto& rule) { return rule.kKeepsAge; }, optimizer);
}
inline MomentNames moment_names(const OptimizerConfig& optimizer) {
  return std::visit([](const auto& rule) { return rule.moments(); }, optimizer);
}

struct AssignConfig {
  std::vector<std::string> params;
  std::string optimizer;
  bool operator==(const AssignConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("params", self.params,
          Field{.help = "groups (qk vo attn ffn matrices all), roles, Hugging Face's names of "
                        "matrices (q_proj gate_proj up_proj …), or globs on names; @a-b keeps "
                        "layers a to b"});
    visit("optimizer", self.optimizer, Field{.help = "a name from optimizers"});
  }
};

}  // namespace muonlab::config
