// Without label noise: GD's loss falls as 1/t, Muon's as e^-t.
#include <algorithm>
#include <cmath>

#include "dynamics_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/theory/extreme.hpp"
#include "muonlab/theory/fit.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {
namespace {

constexpr int kPerDecade = 12;  // times of GD's curve

struct GdCurve {
  std::vector<double> times, losses;
  double late;  // from here on every group is learnt
};

GdCurve gd_curve(const GapLaw& law, const std::vector<double>& p, double late,
                 const std::function<void()>& tick) {
  GdCurve curve{{}, {}, late};
  std::vector<int64_t> times;
  for (double t = 1; t < kDecadesBeyond * late; t *= std::pow(10, 1.0 / kPerDecade)) {
    const auto whole = static_cast<int64_t>(std::round(t));
    if (times.empty() || whole > times.back()) times.push_back(whole);
  }
  curve.losses = gd_excess(law, p, times, tick);
  curve.times.assign(times.begin(), times.end());
  return curve;
}

// A value for each number of groups.
struct NoiselessFits {
  std::vector<Fit> muon, gd;
  std::vector<double> gd_constants;
  Largest bound_share;
};

}  // namespace

double steps_to_learn(int64_t groups, double exponent, double facts) {
  return 30 * std::pow(static_cast<double>(groups), exponent) * std::log(facts);
}

void noiseless(const DynamicsConfig& config, Context& context, Result& result) {
  Table table{"noiseless", "loss without noise", {"groups", "rule", "step", "loss"}};
  Table bounds{"deviation",
               "largest entry of |msgn(P - P̂) - I| along Muon's path, with the paper's bound",
               {"groups", "facts_per_group", "deviation", "bound"}};
  const KeptTables kept(result, {&table, &bounds});
  page::XyPlot gd_plot{.title = "GD",

                       .x = {.name = "steps t", .log = true},
                       .y = {.name = "loss", .log = true},
                       .series = {}};
  page::XyPlot muon_plot{.title = "Muon",

                         .x = {.name = "steps t"},
                         .y = {.name = "loss", .log = true},
                         .series = {}};
  const auto facts = static_cast<double>(config.facts);
  const GapLaw law(facts, 0);
  NoiselessFits found;
  int colour = 0;
  std::vector<double> group_sizes, deviations;
  for (const int64_t groups : config.groups) {
    const double m = static_cast<double>(groups), size = facts / m;
    const std::string label = base::str("M = ", groups);
    const std::vector<double> p = power_law(groups, config.group_exponent);
    const GroupedMemory memory(p, config.facts / groups, 0);
    // Muon
    GroupMatrix logits = memory.zero();
    std::vector<double> times, losses, late_times, late_losses;
    Largest deviation;
    for (int64_t t = 1; losses.empty() || losses.back() > kSmallLoss; ++t) {
      context.progress(base::str("without noise, ", groups, " groups"), 0.05);
      const GroupMatrix direction = memory.polar(memory.gradient(logits));
      logits = logits.stepped(config.muon_step, direction);
      deviation.add(memory.deviation_from_identity(memory.zero().stepped(1, direction)));
      times.push_back(static_cast<double>(t));
      losses.push_back(memory.excess(logits));
      table.rows.push_back({m, "Muon", times.back(), losses.back()});
      if (losses.back() < 0.1) {
        late_times.push_back(config.muon_step * times.back());
        late_losses.push_back(losses.back());
      }
      base::check(t < 1000000, "Muon's loss falls");
    }
    found.muon.push_back(fit_exponential(late_times, late_losses));
    const double bound = 1 / size + m / size;
    bounds.rows.push_back({m, size, deviation.value(), bound});
    found.bound_share.add(deviation.value() / bound);
    muon_plot.series.push_back({.label = label, .x = times, .y = losses, .colour = colour});
    // GD, step 1 / (the largest frequency of a fact)
    const GdCurve curve = gd_curve(
        law, p, steps_to_learn(groups, config.group_exponent, facts),
        [&] { context.progress(base::str("GD without noise, ", groups, " groups"), 0.05); });
    std::vector<double> tail_times, tail_losses;
    for (size_t i = 0; i < curve.times.size(); ++i) {
      table.rows.push_back({m, "GD", curve.times[i], curve.losses[i]});
      if (curve.times[i] < curve.late) continue;
      tail_times.push_back(curve.times[i]);
      tail_losses.push_back(curve.losses[i]);
    }
    found.gd.push_back(fit_power(tail_times, tail_losses));
    const double step = size / p.front();
    found.gd_constants.push_back(tail_losses.back() * step * tail_times.back() / facts);
    gd_plot.series.push_back({.label = label,
                              .x = curve.times,
                              .y = curve.losses,
                              .colour = colour++ % page::kNumColours});
    page::XySeries guide{.label = groups == config.groups.back() ? "K/(ηt)" : "",
                         .x = curve.times,
                         .y = {},
                         .guide = true};
    for (double t : curve.times) guide.y.push_back(facts / (step * t));
    gd_plot.series.push_back(std::move(guide));
    if (groups == config.groups.back()) {
      page::XySeries law_line{.label = "K·exp(−ηt)", .x = times, .y = {}, .guide = true};
      for (double t : times) law_line.y.push_back(facts * std::exp(-config.muon_step * t));
      muon_plot.series.push_back(std::move(law_line));
    }
  }
  const Fit& gd_fit = farthest_of(found.gd, -1, &Fit::slope);
  const Fit& muon_fit = farthest_of(found.muon, -1, &Fit::slope);
  result.claims.push_back({.statement = "Without noise GD's loss falls as 1/t (slope of log L over "
                                        "log t, the farthest from -1 of all M).",
                           .source = "theorem 4.1",
                           .measured = gd_fit.slope,
                           .predicted = -1,
                           .accepted = within(-1, 0.05),
                           .confidence = gd_fit.slope_interval});
  result.claims.push_back({.statement = "GD's total loss is K/(ηt) (their ratio at the end, the "
                                        "farthest from 1 of all M).",
                           .source = "theorem 4.1",
                           .measured = farthest_of(found.gd_constants, 1),
                           .predicted = 1,
                           .accepted = within(1, 0.05)});
  result.claims.push_back({.statement = "Without noise Muon's loss falls as e^-ηt (slope of log L "
                                        "over ηt, the farthest from -1 of all M).",
                           .source = "theorem 4.2",
                           .measured = muon_fit.slope,
                           .predicted = -1,
                           .accepted = within(-1, 0.05),
                           .confidence = muon_fit.slope_interval});
  result.claims.push_back(
      {.statement = "Muon's direction is the identity up to 1/C + M/C in every entry (largest "
                    "deviation as a share of the bound).",
       .source = "section 6",
       .measured = found.bound_share.value(),
       .accepted = at_most(1)});
  result.tables.push_back(std::move(table));
  result.tables.push_back(std::move(bounds));
  result.sections.push_back({"noiseless",
                             "Without noise",
                             "M groups of K/M facts whose frequencies follow a power law.",
                             {std::move(gd_plot), std::move(muon_plot)}});
}

}  // namespace muonlab::theory
