// With label noise: Muon's two phases, and the excess loss that T steps reach.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "dynamics_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/theory/fit.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {
namespace {

constexpr std::array kStepFactors{4.0, 2.0, 1.0, 0.5, 0.25};  // of the step of the two phases
constexpr double kMuonBudget = 1.25;                          // step of T steps: this times z*/T

int64_t middle(const std::vector<int64_t>& values) { return values[values.size() / 2]; }

// The largest value of eta p_1 at which GD stays near the optimum.
double stability_limit(const GapLaw& law) {
  const auto stays = [&](double step) {
    double gap = law.optimum() + 1e-3;
    for (int t = 0; t < 2000; ++t) gap = law.gd(gap, step);
    return std::abs(gap - law.optimum()) < 1e-3;
  };
  double low = 0, high = 1e6;
  for (int i = 0; i < 80; ++i) {
    const double at = 0.5 * (low + high);
    (stays(at) ? low : high) = at;
  }
  return low;
}

}  // namespace

void two_phases(const DynamicsConfig& config, Context& context, Result& result) {
  const int64_t groups = middle(config.groups);
  const GapLaw law(static_cast<double>(config.facts), config.noise);
  const GroupedMemory memory(power_law(groups, config.group_exponent), config.facts / groups,
                             config.noise);
  Table table{"two_phases", "Muon's excess loss with label noise", {"step_size", "step", "excess"}};
  const KeptTables kept(result, {&table});
  page::XyPlot plot{.title = "Muon with label noise",
                    .note = base::str("M = ", groups, "; the first phase ends at T* = z*/η."),
                    .x = {.name = "steps", .log = true},
                    .y = {.name = "excess loss", .log = true},
                    .series = {}};
  std::vector<double> steps, floors;
  int colour = 0;
  for (double factor : kStepFactors) {
    const double step = factor * config.noisy_step, first_phase = law.optimum() / step;
    const std::vector<double> path =
        muon_path(memory, step, static_cast<int64_t>(2 * first_phase) + 4, context,
                  base::str("two phases, step ", base::significant(step, 3)), 0.15);
    page::XySeries series{.label = "η = " + base::significant(step, 3),
                          .x = {},
                          .y = {},
                          .colour = colour++ % page::kNumColours};
    double reached = std::numeric_limits<double>::quiet_NaN(), floor = 0;
    for (size_t t = 1; t < path.size(); ++t) {
      const auto time = static_cast<double>(t);
      if (std::isnan(reached) && path[t] <= law.oscillation(step)) reached = time;
      if (time > first_phase + 2) floor = std::max(floor, path[t]);
      table.rows.push_back({step, time, path[t]});
      series.x.push_back(time);
      series.y.push_back(path[t]);
    }
    steps.push_back(step);
    floors.push_back(floor);
    plot.series.push_back(std::move(series));
    if (factor != 1) continue;
    result.claims.push_back(
        {.statement = "With label noise Muon's first phase ends at T* = z*/η, which is about "
                      "log(K)/η (first step whose excess is at most p*(1 - p*) η²/2).",
         .source = "theorem 5.1",
         .measured = reached,
         .predicted = first_phase,
         .accepted = within_share(first_phase, 0.03)});
    double gap = 0, worst = 0;
    for (double t = 1; t < 2 * first_phase; ++t) {
      gap = law.muon(gap, step);
      if (t > first_phase + 2) worst = std::max(worst, law.excess(gap));
    }
    result.claims.push_back(
        {.statement = "Then the excess of the leading-order recursion is at most p*(1 - p*) η²/2 "
                      "(ratio).",
         .owner = ClaimOwner::ours,
         .measured = worst / law.oscillation(step),
         .accepted = at_most(1.1)});
  }
  const Fit fit = fit_power(steps, floors);
  result.claims.push_back(
      {.statement = "In the second phase Muon oscillates at an excess proportional to η² (exponent "
                    "of the largest excess in η).",
       .source = "theorem 5.1",
       .measured = fit.slope,
       .predicted = 2,
       .accepted = within(2, 0.15),
       .confidence = fit.slope_interval});
  const double limit = stability_limit(law);
  const double facts = static_cast<double>(config.facts);
  const double predicted = 2 * (facts - 1) / facts / (law.target() * (1 - law.target()));
  result.claims.push_back(
      {.statement = "GD is stable near the optimum if and only if η p_1 is below a constant.",
       .source = "theorem 5.4; the constant is ours",
       .measured = limit,
       .predicted = predicted,
       .accepted = within_share(predicted, 0.02),
       .note = "The constant is 2/(p*(1 - p*)) up to 1/K."});
  result.tables.push_back(std::move(table));
  result.sections.push_back({"phases",
                             "With noise",
                             "A share of the answers is random, so the best loss is not 0. Muon "
                             "walks towards the optimum "
                             "and then steps over it again and again.",
                             {std::move(plot)}});
}

void scaling_laws(const DynamicsConfig& config, Context& context, Result& result) {
  const int64_t groups = middle(config.groups);
  const GapLaw muon_law(static_cast<double>(config.facts), config.noise),
      gd_law(static_cast<double>(config.law_facts), config.noise);
  Table table{"scaling_laws", "excess loss after T steps", {"beta", "rule", "steps", "excess"}};
  Table slopes{"exponents",
               "exponents of the excess loss in T",
               {"beta", "gd", "gd_low", "gd_high", "gd_theory", "muon", "muon_low", "muon_high"}};
  const KeptTables kept(result, {&table, &slopes});
  page::XyPlot plot{.title = "Excess loss after T steps",
                    .note =
                        "GD at step 1/p₁. Muon at step 1.25 z*/T, the worse of the last two "
                        "iterates.",
                    .x = {.name = "steps T", .log = true},
                    .y = {.name = "excess loss", .log = true},
                    .series = {}};
  const std::vector<double> times(config.times.begin(), config.times.end());
  page::XySeries measured_gd{
      .label = "GD", .x = config.exponents, .y = {}, .colour = 4, .marker = 1},
      measured_muon{.label = "Muon", .x = config.exponents, .y = {}, .colour = 1, .marker = 1},
      theory_gd{.label = "−(1 − 1/β)", .x = config.exponents, .y = {}, .guide = true},
      theory_muon{.label = "−2", .x = config.exponents, .y = {}, .guide = true};
  int colour = 0;
  for (double beta : config.exponents) {
    const double theory = -(1 - 1 / beta);
    const std::string label = "β = " + base::significant(beta, 3);
    context.progress("scaling of GD, " + label, 0.4);
    const std::vector<double> gd =
        gd_excess(gd_law, power_law(config.law_facts, beta), config.times);
    const GroupedMemory memory(power_law(groups, beta), config.facts / groups, config.noise);
    std::vector<double> muon;
    for (int64_t count : config.times) {
      const std::vector<double> path =
          muon_path(memory, kMuonBudget * muon_law.optimum() / static_cast<double>(count), count,
                    context, "scaling of Muon, " + label, 0.6);
      muon.push_back(std::max(path.back(), path[path.size() - 2]));
    }
    for (size_t i = 0; i < times.size(); ++i) {
      table.rows.push_back({beta, "GD", times[i], gd[i]});
      table.rows.push_back({beta, "Muon", times[i], muon[i]});
    }
    const Fit gd_fit = fit_power(times, gd), muon_fit = fit_power(times, muon);
    slopes.rows.push_back({beta, gd_fit.slope, gd_fit.slope_interval.low,
                           gd_fit.slope_interval.high, theory, muon_fit.slope,
                           muon_fit.slope_interval.low, muon_fit.slope_interval.high});
    result.claims.push_back(
        {.statement = base::str("GD's excess loss falls with T as T^-(1 - 1/β), ", label, "."),
         .source = "theorem 5.7",
         .measured = gd_fit.slope,
         .predicted = theory,
         .accepted = within(theory, 0.05),
         .confidence = gd_fit.slope_interval});
    result.claims.push_back(
        {.statement = base::str("Muon's excess loss falls with T as T^-2, ", label, "."),
         .source = "theorem 5.8",
         .measured = muon_fit.slope,
         .predicted = -2,
         .accepted = within(-2, 0.1),
         .confidence = muon_fit.slope_interval});
    plot.series.push_back(
        {.label = "GD, " + label, .x = times, .y = gd, .colour = colour, .marker = 1});
    plot.series.push_back({.label = "Muon, " + label,
                           .x = times,
                           .y = muon,
                           .colour = colour++ % page::kNumColours,
                           .marker = 2});
    measured_gd.y.push_back(gd_fit.slope);
    measured_muon.y.push_back(muon_fit.slope);
    theory_gd.y.push_back(theory);
    theory_muon.y.push_back(-2);
  }
  page::XyPlot exponents{.title = "Exponent of the excess loss in T",
                         .x = {.name = "exponent β of the frequencies"},
                         .y = {.name = "exponent", .range = std::pair{-2.3, 0.0}},
                         .series = {measured_gd, theory_gd, measured_muon, theory_muon}};
  result.tables.push_back(std::move(table));
  result.tables.push_back(std::move(slopes));
  result.sections.push_back(
      {"laws",
       "Scaling laws",
       "How far from the best loss a training of T steps ends, if its step size is chosen for T.",
       {std::move(plot), std::move(exponents)}});
}

}  // namespace muonlab::theory
