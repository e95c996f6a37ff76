// With label noise: Muon walks to the optimum, then steps over it again and again.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "dynamics_oscillation.hpp"
#include "dynamics_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/theory/extreme.hpp"
#include "muonlab/theory/fit.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {
namespace {

// Of the step of the two phases.
constexpr std::array kStepFactors{4.0, 2.0, 1.0, 0.5, 1 / kLargestRefinement};
constexpr std::array<int64_t, 3> kFactFactors{1, 4, 16};  // of the facts, for T* over log K

// The whole second phase as long as the first, without the two steps around its start.
Stretch second_phase(double way) {
  return {way, static_cast<int64_t>(way) + 3, static_cast<int64_t>(2 * way) + 4};
}

// The first step whose excess is no larger than any of the second phase; NaN without one.
double end_of_first_phase(const std::vector<double>& path, const Stretch& second) {
  Largest floor;
  for (int64_t t = second.first; t <= second.last; ++t) floor.add(path[static_cast<size_t>(t)]);
  for (size_t t = 1; t < path.size(); ++t) {
    if (path[t] <= floor.value()) return static_cast<double>(t);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

// The ends of the first phase for K, 4K and 16K facts.
void claim_first_phase(const DynamicsConfig& config, Context& context, Result& result) {
  const int64_t groups = middle(config.groups);
  const std::vector<double> p = power_law(groups, config.group_exponent);
  Table table{"first_phase",
              "steps of Muon's first phase by the number of facts",
              {"facts", "optimum", "steps", "predicted"}};
  const KeptTables kept(result, {&table});
  std::vector<double> logs, ends, predicted;
  for (const int64_t factor : kFactFactors) {
    const GapLaw law(static_cast<double>(factor * config.facts), config.noise);
    const double way = law.optimum() / config.noisy_step;
    const GroupedMemory memory(p, factor * config.facts / groups, config.noise);
    const Stretch second = second_phase(way);
    const std::vector<double> path = muon_path(memory, config.noisy_step, second.last, context,
                                               base::str("first phase, ", factor, " K facts"), 0.2);
    logs.push_back(std::log(memory.num_facts()));
    ends.push_back(config.noisy_step * end_of_first_phase(path, second));
    predicted.push_back(way);
    table.rows.push_back({memory.num_facts(), law.optimum(), ends.back() / config.noisy_step, way});
  }
  result.claims.push_back(
      {.statement = "With label noise Muon's first phase ends at T* = z*/η, where z* = log(1 + K(1 "
                    "- a)/a) (first step whose excess is no larger than later ones).",
       .owner = ClaimOwner::ours,
       .measured = ends.front() / config.noisy_step,
       .predicted = predicted.front(),
       .accepted = within_share(predicted.front(), 0.03)});
  const Fit fit = fit_line(logs, ends);
  result.claims.push_back(
      {.statement = "T* grows with the number of facts like log(K)/η (slope of ηT* over log K, for "
                    "K, 4K and 16K facts).",
       .source = "theorem 5.1",
       .measured = fit.slope,
       .predicted = 1,
       .accepted = within(1, 0.05),
       .confidence = fit.slope_interval,
       .note =
           "T* itself is longer than log(K)/η, since z* - log K is log((1 - a)/a) for large K."});
  result.tables.push_back(std::move(table));
}

// The largest value of eta p_1 at which GD stays near the optimum.
double stability_limit(const GapLaw& law) {
  const auto stays = [&](double step) {
    double gap = law.optimum() + 1e-3;
    for (int t = 0; t < 2000; ++t) gap = law.gd(gap, step);
    return std::abs(gap - law.optimum()) < 1e-3;
  };
  double low = 0, high = 1;
  while (stays(high)) low = std::exchange(high, 2 * high);
  for (int i = 0; i < 80; ++i) {
    const double at = 0.5 * (low + high);
    (stays(at) ? low : high) = at;
  }
  return low;
}

void claim_stability(const DynamicsConfig& config, const GapLaw& law, Result& result) {
  const auto facts = static_cast<double>(config.facts);
  const double predicted = 2 * (facts - 1) / facts / (law.target() * (1 - law.target()));
  result.claims.push_back(
      {.statement = "GD is stable near the optimum if and only if η p_1 is below a constant.",
       .source = "theorem 5.4; the constant is ours",
       .measured = stability_limit(law),
       .predicted = predicted,
       .accepted = within_share(predicted, 0.02),
       .note = "The constant is 2/(p*(1 - p*)) up to 1/K."});
}

// The worst excess of the leading-order recursion in its second phase, as a share of its bound.
void claim_recursion(const DynamicsConfig& config, const GapLaw& law, Result& result) {
  const double way = law.optimum() / config.noisy_step;
  double gap = 0;
  Largest worst;
  for (double t = 1; t < 2 * way + 4; ++t) {
    gap = law.muon(gap, config.noisy_step);
    if (t > way + 2) worst.add(law.excess(gap));
  }
  result.claims.push_back(
      {.statement = "Then the excess of the leading-order recursion is at most p*(1 - p*) η²/2 "
                    "(ratio).",
       .owner = ClaimOwner::ours,
       .measured = worst.value() / law.oscillation(config.noisy_step),
       .accepted = at_most(1.1)});
}

}  // namespace

void two_phases(const DynamicsConfig& config, Context& context, Result& result) {
  const int64_t groups = middle(config.groups);
  const GapLaw law(static_cast<double>(config.facts), config.noise);
  const GroupedMemory memory(power_law(groups, config.group_exponent), config.facts / groups,
                             config.noise);
  Table table{"two_phases", "Muon's excess loss with label noise", {"step_size", "step", "excess"}};
  Table envelopes{"second_phase",
                  "largest excess loss of Muon's second phase",
                  {"step_size", "excess", "bound"}};
  const KeptTables kept(result, {&table, &envelopes});
  page::XyPlot plot{.title = "Muon with label noise",
                    .note = base::str("M = ", groups, "; the first phase ends at T* = z*/η."),
                    .x = {.name = "steps", .log = true},
                    .y = {.name = "excess loss", .log = true},
                    .series = {}};
  claim_first_phase(config, context, result);
  claim_recursion(config, law, result);
  std::vector<double> steps, highest;
  int colour = 0;
  for (double factor : kStepFactors) {
    const double step = factor * config.noisy_step;
    const Stretch second = second_phase(law.optimum() / step);
    const std::string what = base::str("two phases, step ", base::significant(step, 3));
    const std::vector<double> path = muon_path(memory, step, second.last, context, what, 0.15);
    page::XySeries series{.label = "η = " + base::significant(step, 3),
                          .x = {},
                          .y = {},
                          .colour = colour++ % page::kNumColours};
    for (size_t t = 1; t < path.size(); ++t) {
      table.rows.push_back({step, static_cast<double>(t), path[t]});
      series.x.push_back(static_cast<double>(t));
      series.y.push_back(path[t]);
    }
    steps.push_back(step);
    highest.push_back(envelope(memory, law.optimum(), second, context, what, 0.25));
    envelopes.rows.push_back({step, highest.back(), law.oscillation(step)});
    plot.series.push_back(std::move(series));
  }
  const Floor floor = floor_below(memory, law.optimum(), second_phase(law.optimum() / steps.back()),
                                  context, "two phases", 0.3);
  const FloorFit found = fit_above(floor, steps, highest, "η");
  result.claims.push_back(
      {.statement = "In the second phase Muon oscillates at an excess proportional to η² until a "
                    "floor is reached (exponent of the largest excess in η).",
       .source = "theorem 5.1",
       .measured = found.fit.slope,
       .predicted = 2,
       .accepted = within(2, 0.15),
       .confidence = found.fit.slope_interval,
       .note = found.note});
  claim_stability(config, law, result);
  result.tables.push_back(std::move(table));
  result.tables.push_back(std::move(envelopes));
  result.sections.push_back({"phases",
                             "With noise",
                             "A share of the answers is random, so the best loss is not 0. Muon "
                             "walks towards the optimum "
                             "and then steps over it again and again.",
                             {std::move(plot)}});
}

}  // namespace muonlab::theory
