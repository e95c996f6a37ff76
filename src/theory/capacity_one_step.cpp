#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "capacity_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/fit.hpp"

namespace muonlab::theory::capacity {
namespace {

enum Rule { sgd, sign, muon, soft, softer, newton_step, kNumRules };
constexpr const char* kRuleNames[] = {
    "SGD", "SignSGD", "Muon", "Muon, lambda = p_d", "Muon, lambda = 3 p_d", "Newton"};

at::Tensor step_of(Rule rule, const GaussianMemory& memory, const at::Tensor& descent) {
  const double lambda = memory.frequency(memory.width() - 1);
  switch (rule) {
    case sgd: return descent;
    case sign: return sign_of(descent);
    case muon: return polar(descent);
    case soft: return soft_polar(descent, lambda);
    case softer: return soft_polar(descent, 3 * lambda);
    default: return newton(descent, memory.key_moment(), lambda);
  }
}

// Means over the seeds, a value for each width.
struct OneStep {
  std::vector<double> widths;
  std::vector<double> counts[kNumRules];
};

// A row of the table is a width.
OneStep measure_one_step(const CapacityConfig& config, Context& context, Table& table) {
  OneStep found;
  double work = 0, done = 0;
  const auto cost = [&](int64_t d) {
    return static_cast<double>(num_facts(config, d) * num_asked(config, d) * d);
  };
  for (const int64_t d : config.widths) work += cost(d);
  for (const int64_t d : config.widths) {
    found.widths.push_back(static_cast<double>(d));
    for (std::vector<double>& counts : found.counts) counts.push_back(0);
    for (int64_t seed = 0; seed < config.seeds; ++seed) {
      const GaussianMemory memory(d, num_facts(config, d), config.alpha, seed);
      const at::Tensor descent = memory.descent_at_zero(memory.frequencies());
      for (int rule = 0; rule < kNumRules; ++rule) {
        context.progress(base::str("one step, d = ", d), 0.6 * done / work);
        found.counts[rule].back() +=
            num_recovered(memory, step_of(static_cast<Rule>(rule), memory, descent),
                          num_asked(config, d)) /
            static_cast<double>(config.seeds);
        done += cost(d) / static_cast<double>(kNumRules * config.seeds);
      }
    }
    table.rows.push_back({found.widths.back()});
    for (const std::vector<double>& counts : found.counts)
      table.rows.back().push_back(counts.back());
  }
  return found;
}

void claim_one_step(const CapacityConfig& config, const OneStep& found, Result& result) {
  const double muon_exponent = capacity_exponent(config.alpha, 1);
  const double sgd_exponent = 1 / (2 * config.alpha);
  Table exponents{"exponents",
                  "exponents of the recovered facts in d, after one step",
                  {"rule", "exponent", "low", "high"}};
  Fit fits[kNumRules];
  for (int rule = 0; rule < kNumRules; ++rule) {
    fits[rule] = fit_power(found.widths, found.counts[rule]);
    exponents.rows.push_back({kRuleNames[rule], fits[rule].slope, fits[rule].slope_interval.low,
                              fits[rule].slope_interval.high});
  }
  result.tables.push_back(std::move(exponents));
  result.claims.push_back(
      {.statement = "One step of Muon recovers d^(1 + 1/(2 alpha)) facts: the exponent.",
       .source = "theorem \"multi\" at t = 1",
       .measured = fits[muon].slope,
       .predicted = muon_exponent,
       .accepted = within(muon_exponent, 0.1),
       .confidence = fits[muon].slope_interval});
  result.claims.push_back(
      {.statement = "One step of SGD recovers d^(1/(2 alpha)) facts: the exponent. Counts are "
                    "small, and small counts grow faster.",
       .source = "ours",
       .owner = ClaimOwner::ours,
       .measured = fits[sgd].slope,
       .predicted = sgd_exponent,
       .accepted = {sgd_exponent - 0.1, sgd_exponent + 0.25},
       .confidence = fits[sgd].slope_interval});
  const auto ratio = [&](Rule a, Rule b, size_t i) {
    return found.counts[a][i] / found.counts[b][i];
  };
  const size_t last = found.widths.size() - 1;
  size_t middle = 0;
  while (middle < last && found.widths[middle] < 64) ++middle;
  result.claims.push_back({.statement = base::str("At d = ", found.widths[middle],
                                                  " Muon recovers over five times as many facts "
                                                  "as SGD."),
                           .source = "abstract; the factor is ours",
                           .measured = ratio(muon, sgd, middle),
                           .accepted = at_least(5)});
  result.claims.push_back({.statement = "The ratio of Muon's facts to SGD's grows with d: from the "
                                        "smallest width to the largest, by the factor",
                           .source = "abstract",
                           .measured = ratio(muon, sgd, last) / ratio(muon, sgd, 0),
                           .accepted = at_least(2)});
  result.claims.push_back({.statement = "Newton's step recovers as many facts as Muon's: their "
                                        "ratio at the largest width.",
                           .source = "abstract, version 2; the range is ours",
                           .measured = ratio(newton_step, muon, last),
                           .predicted = 1,
                           .accepted = {0.7, 1.2}});
  result.claims.push_back({.statement = "The sign of the gradient is like SGD, not like Muon, for "
                                        "embeddings in general directions: its facts over SGD's at "
                                        "the largest width.",
                           .source = "ours",
                           .owner = ClaimOwner::ours,
                           .measured = ratio(sign, sgd, last),
                           .predicted = 1,
                           .accepted = {0.5, 2}});
  result.claims.push_back({.statement = "A regularization lambda = p_d leaves Muon's facts nearly "
                                        "as they are: the ratio at the largest width.",
                           .source = "ours",
                           .owner = ClaimOwner::ours,
                           .measured = ratio(soft, muon, last),
                           .predicted = 1,
                           .accepted = {0.9, 1.1}});
}

void draw_one_step(const CapacityConfig& config, const OneStep& found, Result& result) {
  page::XyPlot plot{.title = "Facts recovered after one step",
                    .x = {.name = "width d", .log = true},
                    .y = {.name = "facts recovered", .log = true},
                    .series = {}};
  for (int rule = 0; rule < kNumRules; ++rule) {
    plot.series.push_back({.label = kRuleNames[rule],
                           .x = found.widths,
                           .y = found.counts[rule],
                           .colour = rule,
                           .marker = 1});
  }
  const auto guide = [&](Rule rule, double exponent, const std::string& name) {
    std::vector<double> y;
    for (const double d : found.widths)
      y.push_back(found.counts[rule][0] * std::pow(d / found.widths[0], exponent));
    plot.series.push_back({.label = name, .x = found.widths, .y = y, .guide = true});
  };
  guide(muon, capacity_exponent(config.alpha, 1), "d^(1 + 1/(2 alpha))");
  guide(sgd, 1 / (2 * config.alpha), "d^(1/(2 alpha))");
  result.sections.push_back({"one-step",
                             "One step",
                             "A fact counts as recovered if its own object has the largest logit.",
                             {std::move(plot)},
                             ""});
}

}  // namespace

void run_one_step(const CapacityConfig& config, Context& context, Result& result) {
  Table table{"one_step", "facts recovered after one step, means over the seeds", {"d"}};
  for (const char* name : kRuleNames) table.columns.push_back(name);
  const KeptTables kept(result, {&table});
  const OneStep found = measure_one_step(config, context, table);
  claim_one_step(config, found, result);
  result.tables.push_back(std::move(table));
  draw_one_step(config, found, result);
}

}  // namespace muonlab::theory::capacity
