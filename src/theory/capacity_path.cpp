#include "capacity_path.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "capacity_model.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/extreme.hpp"
#include "muonlab/theory/fit.hpp"

namespace muonlab::theory::capacity {
namespace {

constexpr const char* kKindNames[] = {"thresholded", "exact"};

struct Paths {
  std::vector<double> widths;
  std::vector<Path> means;  // over the seeds, one a width
};

// A row of the table is a step at a width.
Paths follow_all(const CapacityConfig& config, PathKind kind, Context& context, Table& table) {
  Paths paths;
  const double share = 1 / static_cast<double>(config.path_seeds);
  const auto steps = static_cast<size_t>(config.path_steps);
  for (const int64_t width : config.path_widths) {
    Path mean{std::vector<double>(steps), std::vector<double>(steps)};
    for (int64_t seed = 0; seed < config.path_seeds; ++seed) {
      const Path one = follow(config, width, seed, kind, [&] {
        context.progress(base::str(kKindNames[static_cast<int>(kind)], " gradients, d = ", width),
                         kind == PathKind::exact ? 0.9 : 0.8);
      });
      for (size_t t = 0; t < steps; ++t) {
        mean.counts[t] += share * one.counts[t];
        mean.losses[t] += share * one.losses[t];
      }
    }
    for (size_t t = 0; t < steps; ++t) {
      table.rows.push_back({kKindNames[static_cast<int>(kind)], static_cast<double>(width),
                            static_cast<double>(t + 1), mean.counts[t], mean.losses[t]});
    }
    paths.widths.push_back(static_cast<double>(width));
    paths.means.push_back(std::move(mean));
  }
  return paths;
}

Fit fit_after(const Paths& paths, size_t step) {
  std::vector<double> counts;
  for (const Path& path : paths.means) counts.push_back(path.counts[step]);
  return fit_power(paths.widths, counts);
}

void claim_paths(const CapacityConfig& config, const Paths& thresholded, const Paths& exact,
                 Result& result) {
  for (int64_t t = 2; t <= std::min<int64_t>(3, config.path_steps); ++t) {
    const double predicted = capacity_exponent(config.alpha, t);
    const Fit of_theorem = fit_after(thresholded, static_cast<size_t>(t - 1));
    const Fit of_conjecture = fit_after(exact, static_cast<size_t>(t - 1));
    result.claims.push_back(
        {.statement = base::str("If recovered facts leave the gradient, d^(x_t) facts are known "
                                "after t = ",
                                t, " steps: the exponent."),
         .source = "theorem \"multi\"",
         .measured = of_theorem.slope,
         .predicted = predicted,
         .accepted = within(predicted, 0.25),
         .confidence = of_theorem.slope_interval,
         .note = "less than a decade of widths"});
    result.claims.push_back(
        {.statement = base::str("The same holds for the exact gradient, after t = ", t,
                                " steps: the exponent."),
         .source = "conjecture of the authors",
         .measured = of_conjecture.slope,
         .predicted = predicted,
         .accepted = within(predicted, 0.25),
         .confidence = of_conjecture.slope_interval,
         .note = "less than a decade of widths"});
  }
  const std::vector<double>& counts = exact.means.back().counts;
  Largest worst;
  for (size_t t = 1; t < counts.size(); ++t) worst.add(1 - counts[t] / counts[t - 1]);
  result.claims.push_back({.statement = "With the exact gradient no step loses many facts again: "
                                        "the largest share lost in a step, at the largest width.",
                           .source = "ours",
                           .owner = ClaimOwner::ours,
                           .measured = worst.value(),
                           .accepted = at_most(0.1)});
}

}  // namespace

Path follow(const CapacityConfig& config, int64_t width, int64_t seed, PathKind kind,
            const std::function<void()>& tick) {
  const GaussianMemory memory(width, std::min(width * width, config.max_facts), config.alpha, seed);
  const auto d = static_cast<double>(width);
  at::Tensor weights = at::zeros({width, width}, at::kDouble);
  at::Tensor q = memory.frequencies().clone();
  Path path;
  for (int64_t t = 0; t < config.path_steps; ++t) {
    tick();
    const double next = std::pow(d, capacity_exponent(config.alpha, t + 1));
    const double lambda =
        config.lambda_factor * memory.frequency(0) * std::sqrt(d) * std::pow(next, -config.alpha);
    weights = weights +
              config.step_factor * std::sqrt(d) * soft_polar(memory.descent(weights, q), lambda);
    const at::Tensor recovered = memory.recovered(weights, memory.facts());
    if (kind == PathKind::thresholded) q = q.masked_fill(recovered, 0);
    path.counts.push_back(static_cast<double>(recovered.sum().item<int64_t>()));
    path.losses.push_back(memory.loss(weights));
  }
  return path;
}

void run_paths(const CapacityConfig& config, Context& context, Result& result) {
  Table table{"paths",
              "facts recovered after each step of regularized Muon, means over the seeds",
              {"gradient", "d", "step", "facts", "loss"}};
  Table exponents{"path_exponents",
                  "exponents of the recovered facts in d after each step",
                  {"gradient", "step", "exponent", "low", "high", "predicted"}};
  Section section{"paths",
                  "Several steps",
                  "Regularized Muon with step size d^(1/2) and lambda falling with the step, as in "
                  "the theorem. Thresholded gradients leave out what was recovered before; the "
                  "authors conjecture the same rates for the exact gradient.",
                  {},
                  ""};
  const KeptTables kept(result, {&table, &exponents});
  Paths found[2];
  for (const PathKind kind : {PathKind::thresholded, PathKind::exact}) {
    const auto index = static_cast<size_t>(kind);
    Paths& paths = found[index] = follow_all(config, kind, context, table);
    page::XyPlot plot{.title = base::str("Facts, ", kKindNames[index], " gradient"),
                      .x = {.name = "step"},
                      .y = {.name = "facts recovered", .log = true},
                      .series = {}};
    for (size_t w = 0; w < paths.widths.size(); ++w) {
      std::vector<double> steps;
      for (int64_t t = 1; t <= config.path_steps; ++t) steps.push_back(static_cast<double>(t));
      plot.series.push_back({.label = base::str("d = ", paths.widths[w]),
                             .x = steps,
                             .y = paths.means[w].counts,
                             .colour = static_cast<int>(w),
                             .marker = 1});
    }
    for (int64_t t = 1; t <= config.path_steps; ++t) {
      const Fit fit = fit_after(paths, static_cast<size_t>(t - 1));
      exponents.rows.push_back({kKindNames[index], static_cast<double>(t), fit.slope,
                                fit.slope_interval.low, fit.slope_interval.high,
                                capacity_exponent(config.alpha, t)});
    }
    section.plots.push_back(std::move(plot));
  }
  claim_paths(config, found[0], found[1], result);
  result.tables.push_back(std::move(table));
  result.tables.push_back(std::move(exponents));
  result.sections.push_back(std::move(section));
}

}  // namespace muonlab::theory::capacity
