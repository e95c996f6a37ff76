// Many steps of a fixed size: imbalance against loss along the path.
#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "memory_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/theory/extreme.hpp"

namespace muonlab::theory {
namespace {

struct Pace {
  double step;
  int64_t steps;
};

Pace pace_of(const MemoryConfig& config, MemoryRule rule) {
  switch (rule) {
    case MemoryRule::gd: return {config.gd_step, config.gd_steps};
    case MemoryRule::sign: return {config.sign_step, config.sign_steps};
    case MemoryRule::muon: return {config.muon_step, config.muon_steps};
  }
  throw base::Bug("a rule without a pace");
}

// The matrix itself, [key, object].
at::Tensor whole(const TwoClassMatrix& x, int64_t head, int64_t facts) {
  at::Tensor out = at::empty({facts, facts}, at::kDouble);
  for (int64_t key = 0; key < 2; ++key) {
    const auto c = static_cast<size_t>(key);
    at::Tensor rows = key == 0 ? out.slice(0, 0, head) : out.slice(0, head, facts);
    rows.slice(1, 0, head).fill_(key == 0 ? x.same[c] : x.other[c]);
    rows.slice(1, head, facts).fill_(key == 0 ? x.other[c] : x.same[c]);
    out.diagonal().slice(0, key == 0 ? 0 : head, key == 0 ? head : facts).fill_(x.own[c]);
  }
  return out;
}

// How far W is from E~ (diag(a, b) + constants a block) Eᵀ with a = b: the theorem's form.
struct Form {
  double unequal;   // |a - b| / max(a, b)
  double constant;  // K times the largest off-diagonal entry, a unit of a
};

Form form_of(const at::Tensor& logits, int64_t head) {
  const int64_t n = logits.size(0);
  const double a = (logits[0][0] - logits[0][1]).item<double>(),
               b = (logits[n - 1][n - 1] - logits[n - 1][n - 2]).item<double>();
  at::Tensor rest = logits.clone();
  rest.diagonal().slice(0, 0, head).sub_(a);
  rest.diagonal().slice(0, head, n).sub_(b);
  const double size = std::max(std::abs(a), std::abs(b));
  return {std::abs(a - b) / size, static_cast<double>(n) * rest.abs().max().item<double>() / size};
}

struct PathSummary {
  Largest step_deviation, path_deviation;  // of matrices from the reduction
  Largest unequal, constant;               // of Muon's form, the worst that was looked at
  Largest fall;                            // of the last imbalance to the largest, the worst curve
  int64_t checked = 0;                     // Muon's single steps by matrices
};

// At this size a singular value decomposition takes milliseconds, so that matrices follow the whole
// path of Muon.
constexpr int64_t kSmallFacts = 99;

void keep_form(const at::Tensor& logits, int64_t head, PathSummary& summary) {
  const Form form = form_of(logits, head);
  summary.unequal.add(form.unequal);
  summary.constant.add(form.constant);
}

// One step with whole matrices from the logits.
at::Tensor matrix_step(const MemoryModel& model, MemoryRule rule, double step,
                       const at::Tensor& logits) {
  return logits - step * model.logits(matrix_direction(rule, model.gradient(logits)));
}

// The steps of a path of the reduction that are computed with whole matrices too, from the weights
// of the reduction.
bool is_checked(const MemoryConfig& config, MemoryRule rule, int64_t t, int64_t steps) {
  if (rule != MemoryRule::muon) return t <= config.matrix_steps;
  // Singular value decompositions are slow: a few, spread over the path.
  const int64_t every = std::max<int64_t>(1, steps / config.muon_checks);
  return (t - 1) % every == 0;
}

page::XySeries follow_reduction(const MemoryLab& lab, const MemoryLab::Embedded& embedded,
                                MemoryRule rule, Context& context, double share, Table& table,
                                PathSummary& summary) {
  const auto [step, steps] = pace_of(lab.config, rule);
  const std::string name(rule_name(rule));
  page::XySeries series = memory_series(rule, embedded.name);
  TwoClassMatrix logits;
  for (int64_t t = 1; t <= steps; ++t) {
    context.progress(base::str("path of ", name, ", ", embedded.name), share);
    const TwoClassMatrix before = logits;
    logits = stepped(logits, step, direction(lab.classes, rule, logits));
    const double loss = lab.classes.loss(logits), imbalance = lab.classes.imbalance(logits);
    if (is_checked(lab.config, rule, t, steps)) {
      const at::Tensor after = matrix_step(embedded.model, rule, step,
                                           whole(before, lab.config.head_facts, lab.config.facts));
      const MemoryModel::Measure measure = embedded.model.measure(after);
      summary.step_deviation.add(std::abs(measure.loss - loss));
      summary.step_deviation.add(std::abs(measure.imbalance - imbalance));
      if (rule == MemoryRule::muon) {
        keep_form(after, lab.config.head_facts, summary);
        ++summary.checked;
      }
    }
    table.rows.push_back({embedded.name, name, static_cast<double>(t), loss, imbalance});
    series.x.push_back(loss);
    series.y.push_back(imbalance);
  }
  return series;
}

// SignGD with coupled embeddings does not keep the two-class form.
page::XySeries follow_matrices(const MemoryLab& lab, const MemoryLab::Embedded& embedded,
                               MemoryRule rule, Context& context, double share, Table& table) {
  const auto [step, steps] = pace_of(lab.config, rule);
  page::XySeries series = memory_series(rule, embedded.name);
  at::Tensor logits = at::zeros({lab.config.facts, lab.config.facts}, at::kDouble);
  for (int64_t t = 1; t <= steps; ++t) {
    context.progress(base::str("path of ", rule_name(rule), ", ", embedded.name), share);
    logits = matrix_step(embedded.model, rule, step, logits);
    const MemoryModel::Measure measure = embedded.model.measure(logits);
    table.rows.push_back({embedded.name, std::string(rule_name(rule)), static_cast<double>(t),
                          measure.loss, measure.imbalance});
    series.x.push_back(measure.loss);
    series.y.push_back(measure.imbalance);
  }
  return series;
}

// What the path of one rule and embedding adds.
page::XySeries follow(const MemoryLab& lab, const MemoryLab::Embedded& embedded, MemoryRule rule,
                      Context& context, double share, Table& table, PathSummary& summary) {
  const bool coupled_sign = rule == MemoryRule::sign && embedded.coupled();
  page::XySeries series =
      coupled_sign ? follow_matrices(lab, embedded, rule, context, share, table)
                   : follow_reduction(lab, embedded, rule, context, share, table, summary);
  // Decoupled SignGD has no imbalance that could fall.
  if (rule != MemoryRule::sign || coupled_sign) {
    summary.fall.add(series.y.back() / largest_of(series.y));
  }
  return series;
}

// The lab at a size of at most kSmallFacts, with about the same share of frequent facts.
MemoryConfig small_config(const MemoryConfig& config) {
  MemoryConfig small = config;
  if (config.facts <= kSmallFacts) return small;
  const double share = static_cast<double>(config.head_facts) / static_cast<double>(config.facts);
  small.facts = kSmallFacts;
  // Blocks of three stay in one class, as coupled embeddings need.
  const auto blocks = static_cast<int64_t>(std::round(share * kSmallFacts / 3));
  small.head_facts = 3 * std::clamp<int64_t>(blocks, 1, kSmallFacts / 3 - 1);
  return small;
}

// The whole paths of matrices beside those of the reduction.
void follow_small(const MemoryLab& lab, Context& context, PathSummary& summary) {
  for (const auto& embedded : lab.models) {
    for (const MemoryRule rule : kMemoryRules) {
      if (rule == MemoryRule::sign && embedded.coupled()) continue;
      const auto [step, steps] = pace_of(lab.config, rule);
      at::Tensor logits = at::zeros({lab.config.facts, lab.config.facts}, at::kDouble);
      TwoClassMatrix reduced;
      for (int64_t t = 1; t <= steps; ++t) {
        context.progress(base::str("path of matrices, ", rule_name(rule), ", ", embedded.name),
                         0.95);
        logits = matrix_step(embedded.model, rule, step, logits);
        reduced = stepped(reduced, step, direction(lab.classes, rule, reduced));
        const MemoryModel::Measure measure = embedded.model.measure(logits);
        summary.path_deviation.add(std::abs(measure.loss - lab.classes.loss(reduced)));
        summary.path_deviation.add(std::abs(measure.imbalance - lab.classes.imbalance(reduced)));
        if (rule == MemoryRule::muon) keep_form(logits, lab.config.head_facts, summary);
      }
    }
  }
}

void claim_paths(const MemoryLab& lab, const MemoryConfig& small, const PathSummary& summary,
                 Result& result) {
  const bool coupled = std::ranges::any_of(lab.models, &MemoryLab::Embedded::coupled);
  const std::string where =
      base::str("at K = ", small.facts, " at every one of ", lab.config.muon_steps,
                " steps of matrices, and at K = ", lab.config.facts, " at ", summary.checked,
                " single steps");
  result.claims.push_back(
      {.statement =
           base::str("Along the paths of GD", coupled ? ", Muon and coupled SignGD" : " and Muon",
                     " the imbalance rises and then falls (last Δ by largest Δ, the worst "
                     "curve)."),
       .source = "figure 3",
       .measured = summary.fall.value(),
       .accepted = at_most(0.1)});
  result.claims.push_back(
      {.statement = "Muon's weights keep the form a ẼEᵀ with one a for both classes (largest "
                    "relative difference of the two, where it was checked).",
       .source = "theorem 5.4",
       .measured = summary.unequal.value(),
       .accepted = at_most(1e-6),
       .note = "Checked " + where + "."});
  result.claims.push_back(
      {.statement = "The other entries of Muon's weights are O(a/K) (K times the largest, in units "
                    "of a, where it was checked).",
       .source = "theorem 5.4",
       .measured = summary.constant.value(),
       .accepted = at_most(3),
       .note = "Checked " + where + "."});
  result.claims.push_back(
      {.statement =
           base::str("The exact reduction to two classes gives the paths that matrices "
                     "give, at K = ",
                     small.facts, " over all their steps (largest difference of loss and Δ)."),
       .owner = ClaimOwner::ours,
       .measured = summary.path_deviation.value(),
       .accepted = at_most(1e-6)});
  result.claims.push_back(
      {.statement =
           base::str("Single steps of matrices from weights of the reduction end where the "
                     "reduction does, at K = ",
                     lab.config.facts, " (largest difference of loss and Δ)."),
       .owner = ClaimOwner::ours,
       .measured = summary.step_deviation.value(),
       .accepted = at_most(1e-6)});
}

}  // namespace

void many_steps(const MemoryLab& lab, Context& context, Result& result) {
  Table table{"paths",
              "loss and imbalance along the path",
              {"embedding", "rule", "step", "loss", "imbalance"}};
  const KeptTables kept(result, {&table});
  Section section{
      "paths",
      "Many steps",
      "Many small steps of one size, from W = 0. The paths are those of the exact reduction to two "
      "classes; whole matrices check single steps of it, and the whole path at a small size. "
      "Coupled SignGD’s path is computed with whole matrices.",
      {}};
  PathSummary summary;
  double share = 0.45;
  for (const auto& embedded : lab.models) {
    page::XyPlot plot{.title = base::str("Many steps, ", embedded.name, " embeddings"),
                      .note = embedded.coupled() ? ""
                                                 : "SignGD's imbalance is 0 up to rounding, below "
                                                   "the drawing.",
                      .x = {.name = "loss"},
                      .y = {.name = "imbalance Δ", .log = true, .range = std::pair{1e-7, 1.5}},
                      .series = {}};
    for (MemoryRule rule : kMemoryRules) {
      plot.series.push_back(follow(lab, embedded, rule, context, share, table, summary));
      share += 0.5 / static_cast<double>(3 * lab.models.size());
    }
    section.plots.push_back(std::move(plot));
  }
  const MemoryConfig small = small_config(lab.config);
  follow_small(MemoryLab(small), context, summary);
  claim_paths(lab, small, summary, result);
  result.sections.push_back(std::move(section));
  result.tables.push_back(std::move(table));
}

}  // namespace muonlab::theory
