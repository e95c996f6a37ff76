// Two layers W2 W1 that fit a matrix of rank 4, from initial weights near zero: the origin is a
// saddle, and GD stays there the longer the nearer it starts.
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/extreme.hpp"
#include "muonlab/theory/fit.hpp"
#include "muonlab/theory/matrices.hpp"
#include "saddle_parts.hpp"

namespace muonlab::theory {
namespace {

constexpr std::array kTarget{1.0, 0.8, 0.6, 0.4};  // singular values of the matrix to fit
constexpr double kSpectralStep = 0.05;             // Muon's; the sign's has the same RMS
constexpr double kGdStep = 0.1;
constexpr int64_t kMostSteps = 600;
// The first mode holds 46 % of the loss: at this share of it the iterate has left the origin.
constexpr double kLeft = 0.75;

struct Layers {
  at::Tensor first, second, target;
  double loss() const { return 0.5 * (second.mm(first) - target).square().sum().item<double>(); }
};

Layers start_of(int64_t n, double scale, int64_t seed) {
  const auto rank = static_cast<int64_t>(kTarget.size());
  const at::Tensor values = as_tensor({kTarget.begin(), kTarget.end()});
  const at::Tensor left = random_orthogonal(n, seed, base::str("left ", n)).slice(1, 0, rank),
                   right = random_orthogonal(n, seed, base::str("right ", n)).slice(1, 0, rank);
  const double entry = scale / std::sqrt(static_cast<double>(n));
  return {entry * normal_matrix(n, n, seed, base::str("first ", n)),
          entry * normal_matrix(n, n, seed, base::str("second ", n)),
          (left * values).mm(right.t())};
}

// The loss after every step, until it is below `enough` of the first or the steps are over.
std::vector<double> train(Layers layers, EscapeRule rule, double enough, Context& context) {
  const double entry_step = kSpectralStep / std::sqrt(static_cast<double>(layers.target.size(0)));
  std::array<at::Tensor, 2> mean, square;
  std::vector<double> losses{layers.loss()};
  for (int64_t t = 1; t <= kMostSteps && losses.back() > enough * losses.front(); ++t) {
    context.progress(base::str("two layers, ", escape_rule_name(rule)), 0.96);
    const at::Tensor error = layers.second.mm(layers.first) - layers.target;
    const std::array gradients{layers.second.t().mm(error), error.mm(layers.first.t())};
    std::array weights{&layers.first, &layers.second};
    for (size_t i = 0; i < 2; ++i) {
      const at::Tensor& g = gradients[i];
      switch (rule) {
        case EscapeRule::gd: *weights[i] = *weights[i] - kGdStep * g; break;
        case EscapeRule::sign: *weights[i] = *weights[i] - entry_step * sign_of(g); break;
        case EscapeRule::muon: *weights[i] = *weights[i] - kSpectralStep * polar(g); break;
        case EscapeRule::adam: {
          mean[i] = mean[i].defined() ? 0.9 * mean[i] + 0.1 * g : 0.1 * g;
          square[i] = square[i].defined() ? 0.999 * square[i] + 0.001 * g * g : 0.001 * g * g;
          const auto age = static_cast<double>(t);
          // No epsilon but the smallest: gradients near the saddle are tiny.
          const at::Tensor direction = (mean[i] / (1 - std::pow(0.9, age))) /
                                       ((square[i] / (1 - std::pow(0.999, age))).sqrt() + 1e-300);
          *weights[i] = *weights[i] - entry_step * direction;
          break;
        }
      }
    }
    losses.push_back(layers.loss());
  }
  return losses;
}

constexpr std::array kRules{EscapeRule::gd, EscapeRule::sign, EscapeRule::adam, EscapeRule::muon};
constexpr std::array kColours{4, 0, 3, 1};

std::string layer_name(EscapeRule rule) {
  return rule == EscapeRule::gd ? "GD" : std::string(escape_rule_name(rule));
}

// NaN where that share was not reached.
double time_to_leave(const std::vector<double>& losses) {
  return losses.back() <= kLeft * losses.front() ? static_cast<double>(losses.size() - 1)
                                                 : std::numeric_limits<double>::quiet_NaN();
}

double ratio_of_extremes(const std::vector<double>& values) {
  return largest_of(values) / least_of(values);
}

}  // namespace

void factorization(const SaddleConfig& config, Context& context, Result& result) {
  Table table{"factorization",
              "steps until a quarter of the loss is gone",
              {"rule", "n", "start_scale", "steps"}};
  const KeptTables kept(result, {&table});
  page::XyPlot by_size{.title = "Two layers, by width",
                       .x = {.name = "width n", .log = true},
                       .y = {.name = "steps to three quarters of the loss", .log = true},
                       .series = {}};
  page::XyPlot by_start{.title = "Two layers, by the scale of the start",
                        .x = {.name = "scale of the initial entries", .log = true},
                        .y = {.name = "steps to three quarters of the loss", .log = true},
                        .series = {}};
  page::XyPlot curves{.title = "Loss of two layers",
                      .x = {.name = "steps", .log = true},
                      .y = {.name = "loss", .log = true},
                      .series = {}};
  const std::vector<double>& scales = config.factor_starts;
  const double scale = scales[scales.size() / 2];
  const int64_t size = config.factor_sizes[config.factor_sizes.size() / 2];
  curves.note = base::str("n = ", size, ", scale ", base::significant(scale, 3), ".");
  by_size.note = base::str("Scale ", base::significant(scale, 3), ".");
  by_start.note = base::str("n = ", size, ".");
  std::map<EscapeRule, std::vector<double>> over_sizes, over_scales;
  for (size_t r = 0; r < kRules.size(); ++r) {
    const EscapeRule rule = kRules[r];
    const std::string name = layer_name(rule);
    page::XySeries sizes{.label = name, .x = {}, .y = {}, .colour = kColours[r], .marker = 1};
    for (int64_t n : config.factor_sizes) {
      const double steps =
          time_to_leave(train(start_of(n, scale, config.seed), rule, kLeft, context));
      over_sizes[rule].push_back(steps);
      table.rows.push_back({name, static_cast<double>(n), scale, steps});
      sizes.x.push_back(static_cast<double>(n));
      sizes.y.push_back(steps);
    }
    page::XySeries starts{.label = name, .x = scales, .y = {}, .colour = kColours[r], .marker = 1};
    for (double start : scales) {
      const double steps =
          time_to_leave(train(start_of(size, start, config.seed), rule, kLeft, context));
      over_scales[rule].push_back(steps);
      table.rows.push_back({name, static_cast<double>(size), start, steps});
      starts.y.push_back(steps);
    }
    page::XySeries curve{.label = name,
                         .x = {},
                         .y = train(start_of(size, scale, config.seed), rule, 1e-3, context),
                         .colour = kColours[r]};
    for (size_t t = 0; t < curve.y.size(); ++t) curve.x.push_back(static_cast<double>(t));
    by_size.series.push_back(std::move(sizes));
    by_start.series.push_back(std::move(starts));
    curves.series.push_back(std::move(curve));
  }
  std::vector<double> folds;
  for (double start : scales) folds.push_back(-std::log(start));
  const Fit gd = fit_line(folds, over_scales[EscapeRule::gd]);
  const double predicted = 1 / std::log1p(kGdStep * kTarget[0]);
  result.claims.push_back({.statement = "Two layers from near zero: GD's plateau grows with the "
                                        "logarithm of 1/start (steps a factor e of the start).",
                           .owner = ClaimOwner::ours,
                           .measured = gd.slope,
                           .predicted = predicted,
                           .accepted = within_share(predicted, 0.1),
                           .confidence = gd.slope_interval});
  result.claims.push_back({.statement =
                               "Muon leaves the origin in the same number of steps whatever "
                               "the start (largest by smallest over the scales).",
                           .owner = ClaimOwner::ours,
                           .measured = ratio_of_extremes(over_scales[EscapeRule::muon]),
                           .accepted = {1, 1.15}});
  result.claims.push_back({.statement =
                               "Muon leaves the origin in the same number of steps whatever "
                               "the width (largest by smallest over n).",
                           .owner = ClaimOwner::ours,
                           .measured = ratio_of_extremes(over_sizes[EscapeRule::muon]),
                           .accepted = {1, 1.15}});
  result.tables.push_back(std::move(table));
  result.sections.push_back(
      {"layers",
       "Two layers from near zero",
       "The loss is half the squared distance of W₂W₁ from a matrix with singular values 1, 0.8, "
       "0.6 "
       "and 0.4. GD has step 0.1; Muon has 0.05; SignGD and Adam have entries of 0.05/√n.",
       {std::move(curves), std::move(by_size), std::move(by_start)}});
}

}  // namespace muonlab::theory
