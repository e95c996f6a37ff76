#include "muonlab/theory/curvature.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "mode_quadratic.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/philox.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/theory/extreme.hpp"
#include "muonlab/theory/matrices.hpp"
#include "zipf_training.hpp"

namespace muonlab::theory {
namespace curvature {
namespace {

constexpr int64_t kSteps = 30;
constexpr double kRounding = 1e-12;  // as a share of the first value

std::vector<double> counted(size_t n) {
  std::vector<double> values;
  for (size_t i = 0; i < n; ++i) values.push_back(static_cast<double>(i));
  return values;
}

// Up to `count` values from `from` on; a path that reached the minimum is shorter.
std::vector<double> first_of(const std::vector<double>& values, size_t from, size_t count) {
  const size_t end = std::min(values.size(), from + count);
  return {values.begin() + static_cast<std::ptrdiff_t>(std::min(from, end)),
          values.begin() + static_cast<std::ptrdiff_t>(end)};
}

// Differences below the rounding of `unit` count as none: a law may reach 0.
double largest_relative_error(const std::vector<double>& found, const std::vector<double>& law,
                              double unit) {
  Largest worst;
  for (size_t i = 0; i < found.size(); ++i) {
    const double error = std::abs(found[i] - law[i]);
    worst.add(error <= kRounding * unit ? 0 : error / law[i]);
  }
  return worst.value();
}

// The paper's closed forms on the configured quadratic.
void claim_closed_forms(const CurvatureConfig& config, Result& result) {
  const ModeQuadratic quadratic =
      ModeQuadratic::two_kinds(config.modes, config.sharp_modes, config.sharp_curvature,
                               config.flat_curvature, config.sharp_gradient, config.flat_gradient);
  const ModePath muon = descend(quadratic, ModeRule::muon, kSteps);
  const ModePath gd = descend(quadratic, ModeRule::gradient_descent, kSteps);
  const auto sharp = static_cast<double>(config.sharp_modes),
             flat = static_cast<double>(config.modes - config.sharp_modes);
  const double high = config.sharp_curvature, low = config.flat_curvature;
  const double muon_nds = (sharp * high + flat * low) / (sharp + flat);
  result.claims.push_back({.statement = "Every step of Muon has the sharpness alpha w_H + (1 - "
                                        "alpha) w_L: its mean over 30 steps.",
                           .source = "closed form",
                           .measured = base::mean(muon.nds),
                           .predicted = muon_nds,
                           .accepted = within_share(muon_nds, 1e-6)});
  const double energy = sharp * config.sharp_gradient * config.sharp_gradient;
  const double share = energy / (energy + flat * config.flat_gradient * config.flat_gradient);
  std::vector<double> gd_law;
  for (size_t t = 0; t < gd.nds.size(); ++t) {
    const double p = t % 2 == 0 ? share : 1 - share;
    gd_law.push_back(p * high + (1 - p) * low);
  }
  result.claims.push_back(
      {.statement = "The share of gradient descent's energy in the sharp modes "
                    "alternates between P and 1 - P: the largest relative error "
                    "of its sharpness in the first ten steps.",
       .source = "closed form",
       .measured = largest_relative_error(first_of(gd.nds, 0, 10), gd_law, high),
       .accepted = at_most(1e-6)});
  const double gamma = std::abs(sharp * high - flat * low) / (sharp * high + flat * low);
  std::vector<double> muon_law;
  for (size_t t = 0; t < 6; ++t)
    muon_law.push_back(muon.gap[1] * std::pow(gamma, 2.0 * static_cast<double>(t)));
  result.claims.push_back(
      {.statement = "After its first step Muon's distance to the minimum falls by Gamma^2 a step: "
                    "the largest relative error over six steps.",
       .source = "closed form",
       .measured = largest_relative_error(first_of(muon.gap, 1, 6), muon_law, muon.gap[0]),
       .accepted = at_most(1e-6)});
  Table table{"quadratic",
              "the quadratic with two kinds of modes",
              {"step", "gap_gd", "gap_muon", "nds_gd", "nds_muon"}};
  for (size_t t = 0; t < muon.nds.size() && t < gd.nds.size(); ++t) {
    table.rows.push_back({static_cast<double>(t), gd.gap[t], muon.gap[t], gd.nds[t], muon.nds[t]});
  }
  const std::vector<double> steps = counted(table.rows.size());
  const auto part = [&](const std::vector<double>& values) {
    return std::vector<double>(values.begin(), values.begin() + std::ssize(steps));
  };
  result.tables.push_back(std::move(table));
  result.sections.push_back(
      {"quadratic",
       "The quadratic with two kinds of modes",
       "Exact line search from zero, without momentum.",
       {{.title = "Loss above the minimum",
         .x = {.name = "step"},
         .y = {.name = "loss above the minimum", .log = true},
         .series = {{.label = "gradient descent", .x = steps, .y = part(gd.gap), .colour = 2},
                    {.label = "Muon", .x = steps, .y = part(muon.gap), .colour = 1}}},
        {.title = "Sharpness along the step",
         .x = {.name = "step"},
         .y = {.name = "normalized directional sharpness"},
         .series = {{.label = "gradient descent", .x = steps, .y = part(gd.nds), .colour = 2},
                    {.label = "Muon", .x = steps, .y = part(muon.nds), .colour = 1}}}},
       ""});
}

// The theorem on quadratics drawn at random under its conditions.
void claim_theorem(const CurvatureConfig& config, Context& context, Result& result) {
  const base::Philox random(1, base::Purpose::theory, "quadratics");
  uint64_t at = 0;
  const auto between = [&](double low, double high) {
    return low + (high - low) * random.uniform(at++);
  };
  int64_t sharper = 0, slower = 0;
  for (int64_t draw = 0; draw < config.draws; ++draw) {
    if (draw % 256 == 0) context.progress("random quadratics", 0);
    const auto modes = static_cast<int64_t>(between(6, 200));
    const auto sharp = static_cast<int64_t>(between(1, static_cast<double>((modes - 1) / 2) + 1));
    const double inverse = static_cast<double>(modes) / static_cast<double>(sharp);  // 1 / alpha
    // rho + 1 > 1 / alpha > 1 + sigma_H / sigma_L, with sigma_H > sigma_L
    const double rho = (inverse - 1) * std::exp(between(0.001, 3));
    const double ratio = 1 + (inverse - 2) * between(0.001, 0.999);
    const ModeQuadratic quadratic = ModeQuadratic::two_kinds(modes, sharp, rho, 1, ratio, 1);
    const ModePath muon = descend(quadratic, ModeRule::muon, kSteps);
    const ModePath gd = descend(quadratic, ModeRule::gradient_descent, kSteps);
    double muon_sum = 0, gd_sum = 0;
    bool is_sharper = false, is_slower = false;
    // Differences below rounding of the first gap say nothing.
    for (size_t t = 0; t < std::min(muon.nds.size(), gd.nds.size()); ++t) {
      muon_sum += muon.nds[t];
      gd_sum += gd.nds[t];
      // Written so that what is no number counts as an exception.
      is_sharper |= !(muon_sum < gd_sum);
      is_slower |= !(muon.gap[t + 1] < gd.gap[t + 1]) && !(gd.gap[t + 1] <= kRounding * gd.gap[0]);
    }
    sharper += is_sharper ? 1 : 0;
    slower += is_slower ? 1 : 0;
  }
  const std::string note = base::str(config.draws, " quadratics, 30 steps each");
  result.claims.push_back({.statement =
                               "The mean sharpness of Muon's steps is below that of gradient "
                               "descent after any number of steps: exceptions.",
                           .source = "theorem",
                           .measured = static_cast<double>(sharper),
                           .predicted = 0,
                           .accepted = at_most(0),
                           .note = note});
  result.claims.push_back({.statement =
                               "Where rho + 1 > 1/alpha > 1 + sigma_H/sigma_L, Muon is ahead "
                               "of gradient descent after any number of steps: exceptions.",
                           .source = "theorem",
                           .measured = static_cast<double>(slower),
                           .predicted = 0,
                           .accepted = at_most(0),
                           .note = note});
}

// 88 modes of falling curvature in 256 x 256 matrices, where the sign of the entries (Adam without
// averages) is a direction of its own.
void claim_many_modes(const CurvatureConfig& config, Context& context, Result& result) {
  constexpr int64_t kSize = 256, kModes = 88;
  ModeQuadratic quadratic;
  for (int64_t i = 1; i <= kModes; ++i) {
    quadratic.curvature.push_back(std::pow(static_cast<double>(i), -1.3));
    quadratic.gradient.push_back(std::sqrt(quadratic.curvature.back()));
  }
  const ModePath muon = descend(quadratic, ModeRule::muon, kSteps);
  const ModePath gd = descend(quadratic, ModeRule::gradient_descent, kSteps);
  const at::Tensor w = as_tensor(quadratic.curvature);
  std::vector<double> adam_gap(kSteps + 1), adam_nds(kSteps);
  for (int64_t seed = 0; seed < config.many_seeds; ++seed) {
    context.progress("88 modes",
                     0.1 * static_cast<double>(seed) / static_cast<double>(config.many_seeds));
    const auto basis = [&](const char* stream) {
      return std::get<0>(at::linalg_qr(normal_matrix(kSize, kModes, seed, stream)));
    };
    const at::Tensor u = basis("left modes"), v = basis("right modes");
    at::Tensor g = as_tensor(quadratic.gradient);
    const double share = 1 / static_cast<double>(config.many_seeds);
    for (int64_t t = 0; t <= kSteps; ++t) {
      const auto at = static_cast<size_t>(t);
      adam_gap[at] += share * (g * g / (2 * w)).sum().item<double>();
      if (t == kSteps) break;
      const at::Tensor z = (u * at::sign((u * g).mm(v.t())).mm(v)).sum(0);
      const double curved = (w * z * z).sum().item<double>();
      adam_nds[at] += share * curved / static_cast<double>(kSize * kSize);
      g = g - (g * z).sum() / curved * w * z;
    }
  }
  const double mean_muon = base::mean(muon.nds);
  result.claims.push_back({.statement =
                               "With 88 modes of curvature i^-1.3 the sign of the entries has "
                               "a larger mean sharpness than Muon: their ratio.",
                           .source = "setting of a third party",
                           .owner = ClaimOwner::ours,
                           .measured = base::mean(adam_nds) / mean_muon,
                           .accepted = at_least(1)});
  result.claims.push_back({.statement = "There gradient descent has a larger mean sharpness than "
                                        "Muon: their ratio.",
                           .source = "setting of a third party",
                           .owner = ClaimOwner::ours,
                           .measured = base::mean(gd.nds) / mean_muon,
                           .accepted = at_least(1)});
  Table table{"many_modes",
              "88 modes of falling curvature, means over the seeds",
              {"step", "gap_gd", "gap_sign", "gap_muon"}};
  const std::vector<double> steps = counted(kSteps + 1);
  for (size_t t = 0; t < steps.size(); ++t)
    table.rows.push_back({steps[t], gd.gap[t], adam_gap[t], muon.gap[t]});
  result.tables.push_back(std::move(table));
  result.sections.push_back(
      {"many-modes",
       "88 modes of falling curvature",
       "",
       {{.title = "Loss above the minimum",
         .x = {.name = "step"},
         .y = {.name = "loss above the minimum", .log = true},
         .series = {{.label = "gradient descent", .x = steps, .y = gd.gap, .colour = 2},
                    {.label = "sign of the entries", .x = steps, .y = adam_gap, .colour = 0},
                    {.label = "Muon", .x = steps, .y = muon.gap, .colour = 1}}}},
       ""});
}

}  // namespace
}  // namespace curvature

void CurvatureConfig::check(const config::Fail& fail) const {
  if (2 * sharp_modes >= modes) {
    fail("sharp_modes", base::str(sharp_modes, " of ", modes,
                                  " modes are not fewer than half, which the theorem needs"));
  }
  if (sharp_curvature <= flat_curvature)
    fail("sharp_curvature", "is not above flat_curvature, so that no mode is sharp");
  for (const double exponent : zipf) {
    if (!(exponent >= 0 && exponent <= 4))
      fail("zipf", base::str(exponent, " is not between 0 and 4"));
  }
}

void run(const CurvatureConfig& config, Context& context, Result& result) {
  result.remarks = {
      "The paper measures 124 million parameters on FineWeb and 9 million on text of a "
      "probabilistic "
      "grammar with 4,412 tokens. Here the transformer has two layers of width 64, and the grammar "
      "264 words in 12 classes and six topics.",
      "The update that is measured is that of the matrices inside the layers, which the two "
      "optimizers treat differently. `muonlab sharpness` and `probes.sharpness` measure runs of "
      "any size in the same way."};
  curvature::claim_closed_forms(config, result);
  curvature::claim_theorem(config, context, result);
  curvature::claim_many_modes(config, context, result);
  if (!config.zipf.empty()) run_zipf(config, context, result);
}

}  // namespace muonlab::theory
