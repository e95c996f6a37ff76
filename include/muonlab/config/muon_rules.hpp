// Muon, and the rules that change what it makes of its polar factor.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "muonlab/config/field.hpp"
#include "muonlab/config/polar.hpp"
#include "muonlab/config/schedule.hpp"
#include "muonlab/config/update_options.hpp"

namespace muonlab::config {

// Muon orthogonalizes the average of the gradients (before). The others are controls (arXiv
// 2606.03899): the average of the orthogonalized gradients, and the orthogonalized gradient alone.
enum class PolarOrder { before, after, none };
template <>
struct EnumNames<PolarOrder> {
  static constexpr std::array<std::string_view, 3> names{"before", "after", "none"};
};

struct MuonConfig : UpdateOptions {
  static constexpr std::string_view kName = "muon";
  static constexpr bool kMatricesOnly = true, kKeepsAge = false;
  // The forms differ by 1 - momentum: another name keeps one from being taken for the other. So
  // does that of an average of polar factors.
  MomentNames moments() const {
    if (order == PolarOrder::none) return {};
    const bool sum = momentum_form == MomentumForm::sum;
    if (order == PolarOrder::after) return {.first = sum ? "polar_sum" : "polar_average"};
    return {.first = sum ? "momentum" : "momentum_average"};
  }
  double lr = 0.01;
  double momentum = 0.95;
  MomentumForm momentum_form = MomentumForm::sum;
  bool nesterov = false;
  PolarOrder order = PolarOrder::before;
  std::optional<double> momentum_start, momentum_final;
  int64_t momentum_warmup = 0, momentum_cooldown = 0;
  Orthogonalizer orthogonalizer = Orthogonalizer::keller;
  std::optional<int64_t> steps;
  MuonScale scale = MuonScale::none;
  double decay = 0.0;
  IterationType iteration = IterationType::automatic;
  bool per_head = false;
  int64_t heads_per_group = 1;
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
    visit("order", self.order,
          Field{.help = "before: orthogonalize the average of gradients (Muon); after: average the "
                        "orthogonalized gradients; none: the orthogonalized gradient alone",
                .quiet = true});
    visit(
        "momentum_warmup", self.momentum_warmup,
        Field{
            .help = "steps in which momentum rises from momentum_start", .min = 0, .quiet = true});
    visit("momentum_start", self.momentum_start,
          Field{.help = "momentum at the first step; default with momentum_warmup: 0.85",
                .min = 0,
                .max = 0.999999});
    visit("momentum_cooldown", self.momentum_cooldown,
          Field{.help = "last steps, in which momentum goes to momentum_final",
                .min = 0,
                .quiet = true});
    visit("momentum_final", self.momentum_final,
          Field{.help = "momentum at the last step; default with momentum_cooldown: 0.85",
                .min = 0,
                .max = 0.999999});
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
    visit("heads_per_group", self.heads_per_group,
          Field{.help = "with per_head: so many neighbouring heads are orthogonalized together",
                .min = 1,
                .quiet = true});
    visit("spectrum", self.spectrum,
          Field{.help = "singular values of the update; random: drawn again at each step, a "
                        "control (Kaon)"});
    UpdateOptions::option_fields(self, visit);
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

// Which side of the polar factor has the mean squares that NorMuon divides by: rows (the paper), or
// the longer side (modded-nanogpt, Emerging-Optimizers).
enum class NormAxis { rows, longer };
template <>
struct EnumNames<NormAxis> {
  static constexpr std::array<std::string_view, 2> names{"rows", "longer"};
};

// NorMuon (arXiv 2510.05491): the rows of Muon's polar factor are divided by the root of their
// averaged mean squares; the whole keeps its Frobenius norm. Defaults are the authors' code's.
struct NorMuonConfig : MuonConfig {
  static constexpr std::string_view kName = "normuon";
  NorMuonConfig() {
    lr = 0.02;
    momentum_form = MomentumForm::average;
    nesterov = true;
    scale = MuonScale::max_ratio;
  }
  double beta2 = 0.95;
  NormAxis axis = NormAxis::rows;
  bool operator==(const NorMuonConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    MuonConfig::fields(self, visit);
    visit(
        "beta2", self.beta2,
        Field{.help = "decay of the mean squares of the polar factor", .min = 0, .max = 0.999999});
    visit("axis", self.axis,
          Field{.help = "mean squares of rows, or of the longer side's rows or columns"});
  }
};

// AdaMuon (arXiv 2507.11005): Muon's polar factor is divided by the root of the average of its
// squares. Three dialects: the paper (sign and rescale), its authors' code (rescale), and
// Emerging-Optimizers (neither, with its own scale).
struct AdaMuonConfig : MuonConfig {
  static constexpr std::string_view kName = "adamuon";
  AdaMuonConfig() { scale = MuonScale::rms_adam; }
  double beta2 = 0.95;
  double eps = 1e-8;
  bool sign = true;
  bool rescale = true;
  bool operator==(const AdaMuonConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    MuonConfig::fields(self, visit);
    visit("beta2", self.beta2,
          Field{.help = "decay of the squares of the polar factor", .min = 0, .max = 0.999999});
    visit("eps", self.eps, Field{.help = "added to the root of the squares", .min = 0});
    visit("sign", self.sign, Field{.help = "orthogonalize the signs of the momentum"});
    visit("rescale", self.rescale,
          Field{.help = "give the divided polar factor the norm of an exact one, sqrt(min(r,c))"});
  }
};

}  // namespace muonlab::config
