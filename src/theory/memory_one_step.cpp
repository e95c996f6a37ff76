// One step from W = 0: imbalance against loss as the step size grows.
#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "memory_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/extreme.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {
namespace {

constexpr double kLastSignStep = 40;  // of coupled SignGD: past the least loss it can reach

// Step sizes from hardly any learning to a loss of about 0.001.
std::vector<double> steps_of(const MemoryLab& lab, MemoryRule rule, bool coupled) {
  const TwoClassMatrix unit = one_step_logits(lab.classes, rule);
  const double head = unit.own[0] - unit.same[0], tail = unit.own[1] - unit.same[1];
  const double log_facts = std::log(lab.facts());
  const double first = 0.1 * log_facts / std::max(head, tail);
  double last = 2 * log_facts / std::min(head, tail);
  if (rule == MemoryRule::sign && coupled) last = kLastSignStep;
  std::vector<double> steps;
  const auto count = static_cast<double>(lab.config.sweep_points - 1);
  for (int64_t i = 0; i < lab.config.sweep_points; ++i)
    steps.push_back(first * std::pow(last / first, static_cast<double>(i) / count));
  return steps;
}

struct Peaks {
  Largest muon;
  Least gd;
  Largest decoupled_sign, coupled_sign;
};

void keep_peak(Peaks& peaks, MemoryRule rule, bool coupled, double peak) {
  if (rule == MemoryRule::muon) peaks.muon.add(peak);
  if (rule == MemoryRule::gd) peaks.gd.add(peak);
  if (rule == MemoryRule::sign) (coupled ? peaks.coupled_sign : peaks.decoupled_sign).add(peak);
}

void peak_claims(const MemoryLab& lab, const Peaks& peaks, Result& result) {
  result.claims.push_back(
      {.statement = base::str("One step of Muon leaves hardly any imbalance, whatever the step "
                              "size, with ",
                              lab.embeddings_text(), " (largest Δ)."),
       .source = "figure 3",
       .measured = peaks.muon.value(),
       .accepted = at_most(0.005)});
  result.claims.push_back(
      {.statement = base::str("One step of GD learns frequent facts and not rare ones, with ",
                              lab.embeddings_text(), " (largest Δ over step sizes",
                              lab.models.size() > 1 ? ", the smaller of the two)." : ")."),
       .source = "figure 3",
       .measured = peaks.gd.value(),
       .accepted = at_least(0.9)});
  for (const auto& embedded : lab.models) {
    if (embedded.coupled()) {
      result.claims.push_back({.statement = "SignGD with coupled embeddings is imbalanced like GD "
                                            "(largest Δ).",
                               .source = "figure 3, theorem 5.3",
                               .measured = peaks.coupled_sign.value(),
                               .accepted = at_least(0.5)});
    } else {
      result.claims.push_back({.statement = "SignGD with decoupled embeddings is balanced like "
                                            "Muon (largest Δ).",
                               .source = "figure 3, theorem 5.3",
                               .measured = peaks.decoupled_sign.value(),
                               .accepted = at_most(0.005)});
    }
  }
}

void spectrum_claims(const MemoryLab& lab, const MemoryLab::Embedded& embedded,
                     const at::Tensor& sign, const at::Tensor& muon_logits, double least_loss,
                     Result& result) {
  result.claims.push_back(
      {.statement = base::str("Muon's first update is ẼEᵀ up to O(1/K), ", embedded.name,
                              " (K times the largest deviation)."),
       .source = "theorem 5.3",
       .measured =
           lab.facts() *
           (muon_logits - at::eye(lab.config.facts, at::kDouble)).abs().max().item<double>(),
       .accepted = at_most(2)});
  if (!embedded.coupled()) return;
  const at::Tensor s = at::linalg_svdvals(sign), a = at::linalg_svdvals(coupled_sign().a);
  const int64_t rank = (s > kZeroSingular * s[0]).sum().item<int64_t>();
  result.claims.push_back(
      {.statement = "SignGD's update with coupled embeddings is far from isotropic: the least "
                    "singular value is at most 25 % of the largest.",
       .source = "theorem 5.3",
       .measured = (s[rank - 1] / s[0]).item<double>(),
       .accepted = at_most(0.25),
       .note = "Of the singular values that are not 0."});
  result.claims.push_back({.statement = "The paper's matrix A of that update has a ratio of least "
                                        "to largest singular value of 24.7 %.",
                           .source = "appendix",
                           .owner = ClaimOwner::ours,
                           .measured = (a[2] / a[0]).item<double>(),
                           .predicted = 0.247,
                           .accepted = within(0.247, 0.0005)});
  const CoupledFloor floor = coupled_sign_floor(lab.facts());
  result.claims.push_back(
      {.statement =
           "One step of SignGD with coupled embeddings cannot bring the loss below a "
           "floor, since a wrong object's logit grows slightly faster than the right one's.",
       .owner = ClaimOwner::ours,
       .measured = least_loss,
       .predicted = floor.loss,
       .accepted = within_share(floor.loss, 0.02),
       .note = base::str("Predicted by the closed form, at step size ", figure_text(floor.step),
                         "; measured on the sweep with matrices.")});
}

// Imbalance at given losses: matrices at the step sizes that the closed form names.
void at_losses(const MemoryLab& lab, const MemoryLab::Embedded& embedded, MemoryRule rule,
               const at::Tensor& unit_logits, Table& table, Largest& deviation) {
  const TwoClassMatrix unit = one_step_logits(lab.classes, rule);
  for (double loss : lab.config.losses) {
    const double step = step_for_loss(lab.classes, unit, loss);
    if (std::isnan(step)) continue;
    const MemoryModel::Measure measure = embedded.model.measure(unit_logits * step);
    const double expected = lab.classes.imbalance(scaled(unit, step));
    deviation.add(std::abs(measure.imbalance - expected));
    deviation.add(std::abs(measure.loss - loss));
    table.rows.push_back(
        {embedded.name, std::string(rule_name(rule)), loss, step, measure.imbalance});
  }
}

// What the iterations make of the first gradient's singular values of the two classes.
double keller_ratio(const TwoClasses& classes) {
  const TwoClassMatrix g = classes.gradient({});
  double square = 0;
  for (size_t c = 0; c < 2; ++c) {
    const double n = classes.size()[c];
    square += n * (g.own[c] * g.own[c] + (n - 1) * g.same[c] * g.same[c] +
                   classes.size()[1 - c] * g.other[c] * g.other[c]);
  }
  const optim::Coefficients coefficients =
      optim::coefficients(config::Orthogonalizer::keller, std::nullopt);
  const auto iterated = [&](size_t c) {
    double x = std::abs(g.own[c] - g.same[c]) / (std::sqrt(square) * coefficients.norm_factor);
    for (const auto& [a, b, cc] : coefficients.steps) x = x * (a + x * x * (b + x * x * cc));
    return x;
  };
  return iterated(1) / iterated(0);
}

void iterations(const MemoryLab& lab, Context& context, Result& result) {
  const MemoryModel model(
      two_classes(lab.config.facts, lab.config.head_facts, lab.config.head_mass),
      MemoryEmbedding::decoupled);
  const at::Tensor gradient =
      model.gradient(at::zeros({lab.config.facts, lab.config.facts}, at::kDouble));
  Table table{"newton_schulz",
              "singular values that an orthogonalizer makes of the first gradient's, and the "
              "largest imbalance after one step",
              {"orthogonalizer", "head", "tail", "largest_imbalance"}};
  const KeptTables kept(result, {&table});
  page::XyPlot plot{.title = "Muon by orthogonalizer, one step",
                    .note = "Decoupled embeddings.",
                    .x = {.name = "loss"},
                    .y = {.name = "imbalance Δ", .log = true, .range = std::pair{1e-7, 1.0}},
                    .series = {}};
  struct Set {
    const char* name;
    config::Orthogonalizer set;
    int colour;
  };
  for (const Set& set : {Set{"exact SVD", config::Orthogonalizer::svd, 1},
                         Set{"keller", config::Orthogonalizer::keller, 0},
                         Set{"you", config::Orthogonalizer::you, 2},
                         Set{"polar_express", config::Orthogonalizer::polar_express, 3},
                         Set{"exact", config::Orthogonalizer::exact, 4}}) {
    context.progress(base::str("Newton–Schulz set ", set.name), 0.4);
    const at::Tensor logits = -newton_schulz(gradient, set.set);
    const double head = (logits[0][0] - logits[0][1]).item<double>();
    const int64_t last = lab.config.facts - 1;
    const double tail = (logits[last][last] - logits[last][last - 1]).item<double>();
    page::XySeries series{.label = set.name, .x = {}, .y = {}, .colour = set.colour};
    for (double step : steps_of(lab, MemoryRule::muon, false)) {
      const MemoryModel::Measure measure = model.measure(logits * step);
      series.x.push_back(measure.loss);
      series.y.push_back(measure.imbalance);
    }
    table.rows.push_back({set.name, head, tail, largest_of(series.y)});
    plot.series.push_back(std::move(series));
    if (set.set != config::Orthogonalizer::keller) continue;
    const double predicted = keller_ratio(lab.classes);
    result.claims.push_back(
        {.statement = "Five Newton–Schulz iterations with Keller's coefficients do not treat the "
                      "classes alike (ratio of the singular values, rare to frequent class).",
         .owner = ClaimOwner::ours,
         .measured = tail / head,
         .predicted = predicted,
         .accepted = within(predicted, 0.01),
         .note = "Predicted by the polynomial of one singular value."});
  }
  result.sections.back().plots.push_back(std::move(plot));
  result.tables.push_back(std::move(table));
}

}  // namespace

void one_step(const MemoryLab& lab, Context& context, Result& result) {
  Table sweep{"one_step",
              "loss and imbalance after one step of a size",
              {"embedding", "rule", "step_size", "loss", "imbalance"}};
  Table at_loss{"one_step_at_loss",
                "imbalance after the one step that brings the loss to a value",
                {"embedding", "rule", "loss", "step_size", "imbalance"}};
  const KeptTables kept(result, {&sweep, &at_loss});
  Section section{"one-step",
                  "One step",
                  "One update from W = 0, over step sizes. Δ is the difference of the largest and "
                  "the least probability of a correct answer.",
                  {}};
  Peaks peaks;
  Largest deviation;
  double done = 0;
  for (const auto& embedded : lab.models) {
    const at::Tensor zero = at::zeros({lab.config.facts, lab.config.facts}, at::kDouble);
    const at::Tensor gradient = embedded.model.gradient(zero);
    page::XyPlot plot{.title = base::str("One step, ", embedded.name, " embeddings"),
                      .note = embedded.coupled() ? ""
                                                 : "SignGD's imbalance is 0 up to rounding, below "
                                                   "the drawing.",
                      .x = {.name = "loss"},
                      .y = {.name = "imbalance Δ", .log = true, .range = std::pair{1e-7, 1.5}},
                      .series = {}};
    at::Tensor sign, muon_logits;
    double least_loss = std::numeric_limits<double>::infinity();
    for (MemoryRule rule : kMemoryRules) {
      const std::string name(rule_name(rule));
      const at::Tensor update = matrix_direction(rule, gradient);
      const at::Tensor logits = embedded.model.logits(-update);
      page::XySeries series = memory_series(rule, embedded.name);
      for (double step : steps_of(lab, rule, embedded.coupled())) {
        context.progress(base::str("one step, ", embedded.name, ", ", name), done / 18);
        const MemoryModel::Measure measure = embedded.model.measure(logits * step);
        sweep.rows.push_back({embedded.name, name, step, measure.loss, measure.imbalance});
        series.x.push_back(measure.loss);
        series.y.push_back(measure.imbalance);
      }
      keep_peak(peaks, rule, embedded.coupled(), largest_of(series.y));
      if (rule == MemoryRule::sign) {
        sign = update;
        least_loss = least_of(series.x);
      }
      if (rule == MemoryRule::muon) muon_logits = logits;
      if (rule != MemoryRule::sign || !embedded.coupled())
        at_losses(lab, embedded, rule, logits, at_loss, deviation);
      plot.series.push_back(std::move(series));
      ++done;
    }
    section.plots.push_back(std::move(plot));
    spectrum_claims(lab, embedded, sign, muon_logits, least_loss, result);
  }
  peak_claims(lab, peaks, result);
  result.claims.push_back(
      {.statement = base::str(
           lab.models.size() > 1
               ? "The curves of GD coincide for both embeddings, and so do Muon's: matrices give "
               : base::str("With ", lab.embeddings_text(), " matrices of GD and of Muon give "),
           "what the reduction to two classes gives (largest difference of loss and Δ)."),
       .source = "section 4",
       .measured = deviation.value(),
       .accepted = at_most(1e-6),
       .note = base::str("Compared at ", at_loss.rows.size(),
                         " points, at the losses that one step can reach.")});
  result.tables.push_back(std::move(sweep));
  result.tables.push_back(std::move(at_loss));
  result.sections.push_back(std::move(section));
  iterations(lab, context, result);
}

}  // namespace muonlab::theory
