// Rules that treat a matrix as a whole in other ways than Muon.
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

// Dion2 (arXiv 2512.16928): of the summed gradients only the rows (of the shorter side) with the
// largest absolute sums are orthogonalized and applied in a step, and only they shrink.
struct Dion2Config : UpdateOptions {
  static constexpr std::string_view kName = "dion2";
  static constexpr bool kMatricesOnly = true, kKeepsAge = false;
  static constexpr MomentNames moments() { return {.first = "momentum"}; }
  double lr = 0.01;
  double fraction = 0.25;
  double momentum = 0.95;
  bool normalize = false;
  double beta2 = 0.95;
  Orthogonalizer orthogonalizer = Orthogonalizer::polar_express;
  std::optional<int64_t> steps;
  MuonScale scale = MuonScale::ratio;
  double decay = 0.0;
  IterationType iteration = IterationType::automatic;
  std::optional<ScheduleConfig> schedule;
  bool operator==(const Dion2Config&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("lr", self.lr, Field{.help = "learning rate", .min = 0});
    visit("fraction", self.fraction,
          Field{.help = "share of the shorter side that a step updates",
                .min = 0,
                .max = 1,
                .above_min = true});
    visit("momentum", self.momentum,
          Field{.help = "what remains of the summed gradients of the rows that were applied",
                .min = 0,
                .max = 0.999999});
    visit("normalize", self.normalize,
          Field{.help = "divide the rows by their mean squares, as normuon does (NorDion2)"});
    visit("beta2", self.beta2,
          Field{.help = "with normalize: decay of the mean squares", .min = 0, .max = 0.999999});
    visit("orthogonalizer", self.orthogonalizer,
          Field{.help = "coefficients of the iteration, or an exact SVD"});
    visit("steps", self.steps, Field{.help = "iterations; see muon", .min = 1, .max = 20});
    visit("scale", self.scale, Field{.help = "factor of the update of an r x c matrix"});
    visit("decay", self.decay,
          Field{.help = "decoupled weight decay, times the learning rate", .min = 0});
    visit("iteration", self.iteration, Field{.help = "number type of the iteration; see muon"});
    UpdateOptions::option_fields(self, visit);
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

// The norm whose unit ball a Scion step is taken in: by the parameter's role, or one for all.
enum class ScionNorm { automatic, spectral, sign, row };
template <>
struct EnumNames<ScionNorm> {
  static constexpr std::array<std::string_view, 4> names{"auto", "spectral", "sign", "row"};
};

// Scion (arXiv 2502.07529): W <- (1 - lr decay) W - lr radius U, where U is the corner of a unit
// ball that the averaged gradient points at: sqrt(r/c) times the polar factor (spectral), the sign
// over the number of columns (sign), or rows of unit mean square (row). decay 1 is the constrained
// form, 0 the unconstrained one.
struct ScionConfig : UpdateOptions {
  static constexpr std::string_view kName = "scion";
  static constexpr bool kMatricesOnly = true, kKeepsAge = false;
  MomentNames moments() const { return {.first = momentum > 0 ? "momentum_average" : ""}; }
  double lr = 0.000244140625;
  double momentum = 0.9;
  ScionNorm norm = ScionNorm::automatic;
  double radius = 50.0;
  double embed_radius = 50.0;
  double head_radius = 3000.0;
  Orthogonalizer orthogonalizer = Orthogonalizer::keller;
  std::optional<int64_t> steps;
  double decay = 1.0;
  IterationType iteration = IterationType::automatic;
  std::optional<ScheduleConfig> schedule;
  bool operator==(const ScionConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("lr", self.lr, Field{.help = "learning rate", .min = 0});
    visit(
        "momentum", self.momentum,
        Field{
            .help = "average of gradients: mu B + (1 - mu) G; 0: none", .min = 0, .max = 0.999999});
    visit("norm", self.norm,
          Field{.help = "geometry of a step; auto: row for the embedding, sign for the head and a "
                        "tied embedding, else spectral"});
    visit("radius", self.radius,
          Field{.help = "length of a step over lr, of matrices in layers",
                .min = 0,
                .above_min = true});
    visit("embed_radius", self.embed_radius,
          Field{.help = "the same, of the embedding", .min = 0, .above_min = true});
    visit(
        "head_radius", self.head_radius,
        Field{
            .help = "the same, of the head and of a tied embedding", .min = 0, .above_min = true});
    visit("orthogonalizer", self.orthogonalizer,
          Field{.help = "coefficients of the iteration, or an exact SVD"});
    visit("steps", self.steps, Field{.help = "iterations; see muon", .min = 1, .max = 20});
    visit("decay", self.decay,
          Field{.help = "1: constrained, weights stay in the ball; 0: unconstrained", .min = 0});
    visit("iteration", self.iteration, Field{.help = "number type of the iteration; see muon"});
    UpdateOptions::option_fields(self, visit);
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

// SOAP (arXiv 2409.11321): Adam in the eigenbasis of G Gᵀ and Gᵀ G, both averaged over the steps.
// With kl their factors are KL-Shampoo's (arXiv 2509.03378). With polar, Muon: the momentum is
// divided by the root of the second moment in the basis, and then orthogonalized.
struct SoapConfig : UpdateOptions {
  static constexpr std::string_view kName = "soap";
  static constexpr bool kMatricesOnly = true, kKeepsAge = true;
  static constexpr MomentNames moments() { return {.first = "exp_avg"}; }
  double lr = 3e-3;
  std::array<double, 2> betas{0.95, 0.95};
  double basis_beta = 0.95;
  int64_t basis_every = 10;
  int64_t max_side = 2048;
  bool kl = false;
  double eps = 1e-8;
  bool polar = false;
  Orthogonalizer orthogonalizer = Orthogonalizer::keller;
  std::optional<int64_t> steps;
  MuonScale scale = MuonScale::none;
  double decay = 0.0;
  IterationType iteration = IterationType::automatic;
  std::optional<ScheduleConfig> schedule;
  bool operator==(const SoapConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("lr", self.lr, Field{.help = "learning rate", .min = 0});
    visit("betas", self.betas,
          Field{.help = "decay of the first and second moments", .min = 0, .max = 0.999999});
    visit("basis_beta", self.basis_beta,
          Field{.help = "decay of the factors whose eigenvectors are the basis",
                .min = 0,
                .max = 0.999999});
    visit("basis_every", self.basis_every,
          Field{.help = "steps between updates of the basis", .min = 1});
    visit(
        "max_side", self.max_side,
        Field{.help = "a longer side keeps its own basis, which saves memory and time", .min = 1});
    visit("kl", self.kl, Field{.help = "factors of KL-Shampoo"});
    visit("eps", self.eps, Field{.help = "added to the root of the second moment", .min = 0});
    visit("polar", self.polar, Field{.help = "orthogonalize what SOAP would apply (SOAP-Muon)"});
    visit("orthogonalizer", self.orthogonalizer,
          Field{.help = "with polar: coefficients of the iteration, or an exact SVD"});
    visit("steps", self.steps,
          Field{.help = "with polar: iterations; see muon", .min = 1, .max = 20});
    visit("scale", self.scale,
          Field{.help = "with polar: factor of the update of an r x c matrix"});
    visit("decay", self.decay,
          Field{.help = "decoupled weight decay, times the learning rate", .min = 0});
    visit("iteration", self.iteration,
          Field{.help = "with polar: number type of the iteration; see muon"});
    UpdateOptions::option_fields(self, visit);
    visit("schedule", self.schedule, Field{.help = "a schedule of its own; default: the run's"});
  }
};

}  // namespace muonlab::config
