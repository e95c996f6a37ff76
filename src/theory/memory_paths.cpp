// Many steps of a fixed size: imbalance against loss along the path.
#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "memory_parts.hpp"
#include "muonlab/base/error.hpp"

namespace muonlab::theory {
namespace {

struct Pace {
  double step;
  int64_t steps, matrix_steps;
};

Pace pace_of(const MemoryConfig& config, MemoryRule rule) {
  switch (rule) {
    case MemoryRule::gd:
      return {config.gd_step, config.gd_steps, std::min(config.gd_steps, config.gd_matrix_steps)};
    case MemoryRule::sign: return {config.sign_step, config.sign_steps, config.sign_steps};
    case MemoryRule::muon: return {config.muon_step, config.muon_steps, config.muon_steps};
  }
  throw base::Bug("a rule without a pace");
}

// How far W is from E~ (diag(a, b) + constants a block) Eᵀ with a = b: the theorem's form.
struct Form {
  double unequal = 0;   // |a - b| / max(a, b)
  double constant = 0;  // K times the largest off-diagonal entry, a unit of a
};

Form form_of(const at::Tensor& logits, int64_t head) {
  const int64_t n = logits.size(0);
  const double a = (logits[0][0] - logits[0][1]).item<double>(),
               b = (logits[n - 1][n - 1] - logits[n - 1][n - 2]).item<double>();
  at::Tensor rest = logits.clone();
  rest.diagonal().slice(0, 0, head).sub_(a);
  rest.diagonal().slice(0, head, n).sub_(b);
  const double size = std::max(std::abs(a), std::abs(b));
  return {std::abs(a - b) / size,
          static_cast<double>(n) * rest.abs().max().item<double>() / size};
}

struct PathSummary {
  double deviation = 0;  // of matrices from the reduction
  Form form;             // of Muon, the worst of the path
  double fall = 0;       // of the last imbalance to the largest, the worst curve
};

// What the path of one rule and embedding adds.
page::XySeries follow(const MemoryLab& lab, const MemoryLab::Embedded& embedded, MemoryRule rule,
                      Context& context, double share, Table& table, PathSummary& summary) {
  const Pace pace = pace_of(lab.config, rule);
  const std::string name(rule_name(rule));
  const bool reduced = rule != MemoryRule::sign || !embedded.coupled();
  page::XySeries series = memory_series(rule, embedded.name);
  at::Tensor weights = at::zeros({lab.config.facts, lab.config.facts}, at::kDouble);
  at::Tensor logits = weights;
  TwoClassMatrix classes;
  for (int64_t t = 1; t <= (reduced ? pace.steps : pace.matrix_steps); ++t) {
    context.progress(base::str("path of ", name, ", ", embedded.name), share);
    MemoryModel::Measure measure{};
    if (reduced) {
      classes = stepped(classes, pace.step, direction(lab.classes, rule, classes));
      measure = {lab.classes.loss(classes), lab.classes.imbalance(classes), 0};
    }
    if (t <= pace.matrix_steps) {
      weights = weights - pace.step * matrix_direction(rule, embedded.model.gradient(logits));
      logits = embedded.model.logits(weights);
      const MemoryModel::Measure whole = embedded.model.measure(logits);
      if (reduced) {
        summary.deviation = std::max({summary.deviation, std::abs(whole.loss - measure.loss),
                                      std::abs(whole.imbalance - measure.imbalance)});
      }
      measure = whole;
      if (rule == MemoryRule::muon) {
        const Form form = form_of(logits, lab.config.head_facts);
        summary.form.unequal = std::max(summary.form.unequal, form.unequal);
        summary.form.constant = std::max(summary.form.constant, form.constant);
      }
    }
    table.rows.push_back({embedded.name, name, static_cast<double>(t), measure.loss,
                          measure.imbalance, t <= pace.matrix_steps ? "matrices" : "two classes"});
    series.x.push_back(measure.loss);
    series.y.push_back(measure.imbalance);
  }
  const double peak = *std::ranges::max_element(series.y);
  // Decoupled SignGD has no imbalance that could fall.
  if (rule != MemoryRule::sign || embedded.coupled())
    summary.fall = std::max(summary.fall, series.y.back() / peak);
  return series;
}

}  // namespace

void many_steps(const MemoryLab& lab, Context& context, Result& result) {
  Table table{"paths", "loss and imbalance along the path",
              {"embedding", "rule", "step", "loss", "imbalance", "computed_with"}};
  Section section{"paths", "Many steps", "Many small steps of one size, from W = 0.", {}};
  PathSummary summary;
  double share = 0.45;
  for (const auto& embedded : lab.models) {
    page::XyPlot plot{.title = base::str("Many steps, ", embedded.name, " embeddings"),
                      .x = {.name = "loss"},
                      .y = {.name = "imbalance Δ", .log = true, .range = std::pair{1e-7, 1.5}},
                      .series = {}};
    for (MemoryRule rule : kMemoryRules) {
      plot.series.push_back(follow(lab, embedded, rule, context, share, table, summary));
      share += 0.5 / static_cast<double>(3 * lab.models.size());
    }
    section.plots.push_back(std::move(plot));
  }
  result.claims.push_back(
      {.statement = "Along the paths of GD, Muon and coupled SignGD the imbalance rises and then "
                    "falls (last Δ by largest Δ, the worst curve).",
       .source = "figure 3",
       .measured = summary.fall,
       .accepted = at_most(0.1)});
  result.claims.push_back(
      {.statement = "Muon's weights keep the form a E~Eᵀ with one a for both classes at every step "
                    "(largest relative difference of the two).",
       .source = "theorem 5.4",
       .measured = summary.form.unequal,
       .accepted = at_most(1e-6)});
  result.claims.push_back(
      {.statement = "The other entries of Muon's weights are O(a/K) at every step (K times the "
                    "largest, in units of a).",
       .source = "theorem 5.4",
       .measured = summary.form.constant,
       .accepted = at_most(3)});
  result.claims.push_back(
      {.statement = "The exact reduction to two classes gives the path that the matrices give "
                    "(largest difference of loss and Δ).",
       .owner = ClaimOwner::ours,
       .measured = summary.deviation,
       .accepted = at_most(1e-6)});
  result.sections.push_back(std::move(section));
  result.tables.push_back(std::move(table));
}

}  // namespace muonlab::theory
