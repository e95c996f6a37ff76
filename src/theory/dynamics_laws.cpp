// With label noise: the excess loss that T steps reach.
#include <algorithm>
#include <cmath>

#include "dynamics_oscillation.hpp"
#include "dynamics_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {
namespace {

// Muon's step for T steps is this times z*/T, so that the optimum is reached before the end.
constexpr double kMuonBudget = 1.25;

// The last tenth of T steps, or the last two.
Stretch last_tenth(int64_t count) {
  return {static_cast<double>(count) / kMuonBudget, count - std::max<int64_t>(2, count / 10) + 1,
          count};
}

}  // namespace

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
                        "GD at step 1/p₁. Muon at step 1.25 z*/T, the largest excess of the last "
                        "tenth of the iterates and of nearby step sizes.",
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
    const std::vector<double> gd =
        gd_excess(gd_law, power_law(config.law_facts, beta), config.times,
                  [&] { context.progress("scaling of GD, " + label, 0.4); });
    const GroupedMemory memory(power_law(groups, beta), config.facts / groups, config.noise);
    std::vector<double> muon;
    const std::string what = "scaling of Muon, " + label;
    for (int64_t count : config.times)
      muon.push_back(envelope(memory, muon_law.optimum(), last_tenth(count), context, what, 0.6));
    const Floor floor = floor_below(memory, muon_law.optimum(), last_tenth(config.times.back()),
                                    context, what, 0.8);
    for (size_t i = 0; i < times.size(); ++i) {
      table.rows.push_back({beta, "GD", times[i], gd[i]});
      table.rows.push_back({beta, "Muon", times[i], muon[i]});
    }
    const Fit gd_fit = fit_power(times, gd);
    const FloorFit above = fit_above(floor, times, muon, "T");
    const Fit& muon_fit = above.fit;
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
        {.statement = base::str(
             "Muon's excess loss falls with T as T^-2 until a floor is reached, ", label, "."),
         .source = "theorem 5.8",
         .measured = muon_fit.slope,
         .predicted = -2,
         .accepted = within(-2, 0.1),
         .confidence = muon_fit.slope_interval,
         .note = above.note});
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
