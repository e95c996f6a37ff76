// Steps to escape a saddle by size, rule and length of the step.
#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/theory/extreme.hpp"
#include "muonlab/theory/fit.hpp"
#include "muonlab/theory/matrices.hpp"
#include "saddle_parts.hpp"

namespace muonlab::theory {
namespace {

constexpr int64_t kLargeSize = 512;  // from here on one repetition: decompositions are slow

int64_t repeats_of(const SaddleConfig& config, int64_t n) {
  return n >= kLargeSize ? 1 : config.seeds;
}

std::vector<Escape> contenders(const SaddleConfig& config, const Saddle& saddle, double start) {
  std::vector<Escape> out;
  const bool entries = std::ranges::find(config.entry_sizes, saddle.n) != config.entry_sizes.end();
  const bool equal = std::ranges::find(config.sizes, saddle.n) != config.sizes.end();
  for (EscapeRule rule : {EscapeRule::gd, EscapeRule::sign, EscapeRule::adam, EscapeRule::muon}) {
    if (equal) out.emplace_back(saddle, rule, StepLength::equal_rms, config.step, start);
    if (rule == EscapeRule::muon) continue;  // its own step has both norms
    if (equal) out.emplace_back(saddle, rule, StepLength::equal_spectral, config.step, start);
    if (entries) out.emplace_back(saddle, rule, StepLength::entry, config.step, start);
  }
  return out;
}

// All rules see the same noise.
void race(const SaddleConfig& config, int64_t n, bool gap, int64_t repeat, Context& context,
          double share, std::map<EscapeKey, std::vector<double>>& steps) {
  const Saddle saddle{n, config.curvature, config.noise};
  const double unit = config.noise * std::sqrt(static_cast<double>(n)) / config.curvature;
  const double start = (gap ? config.start_with_gap : config.start_without_gap) * unit;
  const std::string name = base::str(n, gap ? " gap " : " no gap ", repeat);
  const at::Tensor u = unit_vector(n, config.seed, "u " + name),
                   v = unit_vector(n, config.seed, "v " + name);
  std::vector<Escape> running = contenders(config, saddle, start);
  for (int64_t t = 1; t <= config.max_steps && !running.empty(); ++t) {
    context.progress(base::str("escape, n = ", n, gap ? ", gap" : ", no gap"), share);
    const at::Tensor noise = normal_matrix(n, n, config.seed, base::str(name, " step ", t));
    for (Escape& escape : running) escape.advance(noise, u, v);
    std::erase_if(running, [&](const Escape& escape) {
      if (escape.position() < start + config.distance) return false;
      steps[{gap, escape.length(), escape.rule()}].push_back(static_cast<double>(t));
      return true;
    });
  }
  for (const Escape& escape : running) {
    steps[{gap, escape.length(), escape.rule()}].push_back(
        std::numeric_limits<double>::quiet_NaN());
  }
}

int colour_of(EscapeRule rule) {
  switch (rule) {
    case EscapeRule::gd: return 4;
    case EscapeRule::sign: return 0;
    case EscapeRule::adam: return 3;
    case EscapeRule::muon: return 1;
  }
  return 7;
}

page::XyPlot escape_plot(const EscapeCurves& curves, bool gap, StepLength length) {
  page::XyPlot plot{
      .title = base::str(gap ? "Above the noise, " : "Below the noise, ", step_length_name(length)),
      .x = {.name = "size n", .log = true},
      .y = {.name = "steps to escape", .log = true},
      .series = {}};
  for (const auto& [key, steps] : curves) {
    const bool muon_beside = key.rule == EscapeRule::muon && length == StepLength::equal_spectral;
    if (key.gap != gap || (key.length != length && !muon_beside)) continue;
    page::XySeries series{.label = std::string(escape_rule_name(key.rule)),
                          .x = {},
                          .y = {},
                          .colour = colour_of(key.rule),
                          .marker = 1};
    for (const auto& [n, mean] : steps) {
      series.x.push_back(static_cast<double>(n));
      series.y.push_back(mean);
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

}  // namespace

void escapes(const SaddleConfig& config, Context& context, Result& result) {
  std::vector<int64_t> sizes = config.sizes;
  sizes.insert(sizes.end(), config.entry_sizes.begin(), config.entry_sizes.end());
  std::ranges::sort(sizes);
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  Table table{"escapes",
              "steps until uᵀWv has grown by the distance; empty: not within max_steps",
              {"start", "step_length", "rule", "n", "mean_steps", "least", "most"}};
  const KeptTables kept(result, {&table});
  EscapeCurves curves;
  double total = 0, done = 0;
  // Two factors n of a step and about one half of the number of steps.
  const auto work = [&](int64_t n) {
    return std::pow(static_cast<double>(n), 2.5) * static_cast<double>(repeats_of(config, n));
  };
  for (int64_t n : sizes) total += work(n);
  for (int64_t n : sizes) {
    for (bool gap : {true, false}) {
      std::map<EscapeKey, std::vector<double>> steps;
      for (int64_t repeat = 0; repeat < repeats_of(config, n); ++repeat)
        race(config, n, gap, repeat, context, 0.9 * done / total, steps);
      for (const auto& [key, counts] : steps) {
        const double mean = base::mean(counts);
        curves[key][n] = mean;
        table.rows.push_back({gap ? "above the noise" : "below the noise",
                              std::string(step_length_name(key.length)),
                              std::string(escape_rule_name(key.rule)), static_cast<double>(n), mean,
                              least_of(counts), largest_of(counts)});
      }
    }
    done += work(n);
  }
  escape_claims(config, curves, result);
  Section section{"escape",
                  "Steps to escape",
                  "f(W) = −(μ/2)(uᵀWv)² with Gaussian noise on every entry of the gradient. Above "
                  "the noise the signal is a separate singular value of the gradient, the spectral "
                  "gap; below it is not. The same noise for all rules.",
                  {}};
  for (bool gap : {true, false}) {
    for (StepLength length : {StepLength::equal_rms, StepLength::equal_spectral, StepLength::entry})
      section.plots.push_back(escape_plot(curves, gap, length));
  }
  Table growth{"growth",
               "exponent of the steps to escape in n",
               {"start", "step_length", "rule", "exponent", "low", "high"}};
  for (const auto& [key, steps] : curves) {
    std::vector<double> n, mean;
    for (const auto& [size, value] : steps) {
      if (std::isnan(value)) continue;
      n.push_back(static_cast<double>(size));
      mean.push_back(value);
    }
    const Fit fit = fit_power(n, mean);
    growth.rows.push_back({key.gap ? "above the noise" : "below the noise",
                           std::string(step_length_name(key.length)),
                           std::string(escape_rule_name(key.rule)), fit.slope,
                           fit.slope_interval.low, fit.slope_interval.high});
  }
  result.tables.push_back(std::move(table));
  result.tables.push_back(std::move(growth));
  result.sections.push_back(std::move(section));
}

}  // namespace muonlab::theory
