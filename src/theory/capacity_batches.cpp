#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <ATen/ATen.h>

#include "capacity_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/extreme.hpp"
#include "muonlab/theory/fit.hpp"

namespace muonlab::theory::capacity {
namespace {

struct Batches {
  std::map<int64_t, std::vector<double>> samples, sgd, muon;  // by width
  std::map<int64_t, double> sgd_full, muon_full;              // of the population's gradient
};

// A row of the table is a batch at a width.
Batches measure_batches(const CapacityConfig& config, Context& context, Table& table) {
  Batches found;
  const double share = 1 / static_cast<double>(config.seeds);
  for (size_t w = 0; w < config.batch_widths.size(); ++w) {
    const int64_t d = config.batch_widths[w], asked = num_asked(config, d);
    const double most = largest_batch(config.alpha, d);
    for (double samples = 4; samples <= most; samples *= 2) found.samples[d].push_back(samples);
    const size_t n = found.samples[d].size();
    found.sgd[d].resize(n);
    found.muon[d].resize(n);
    for (int64_t seed = 0; seed < config.seeds; ++seed) {
      const GaussianMemory memory(d, num_facts(config, d), config.alpha, seed);
      const at::Tensor full = memory.descent_at_zero(memory.frequencies());
      found.sgd_full[d] += share * num_recovered(memory, full, asked);
      found.muon_full[d] += share * num_recovered(memory, polar(full), asked);
      for (size_t i = 0; i < n; ++i) {
        const auto tick = [&] {
          context.progress(
              base::str("batches, d = ", d),
              0.6 + 0.2 * static_cast<double>(w) / static_cast<double>(config.batch_widths.size()));
        };
        const at::Tensor shares = memory.sampled(static_cast<int64_t>(found.samples[d][i]),
                                                 seed * 1000 + static_cast<int64_t>(i), tick);
        const at::Tensor descent = memory.descent_at_zero(shares);
        found.sgd[d][i] += share * num_recovered(memory, descent, asked);
        found.muon[d][i] += share * num_recovered(memory, polar(descent), asked);
      }
    }
    for (size_t i = 0; i < n; ++i) {
      table.rows.push_back(
          {static_cast<double>(d), found.samples[d][i], found.sgd[d][i], found.muon[d][i]});
    }
  }
  return found;
}

// The number of samples at which 90 % of the population's count is first recovered, between the
// measured ones by the logarithms. Larger batches can fall below it again by chance. NaN where no
// batch recovers as many, or the population recovers none.
double critical_batch(const std::vector<double>& samples, const std::vector<double>& counts,
                      double full) {
  if (!(full > 0)) return std::numeric_limits<double>::quiet_NaN();
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] < 0.9 * full) continue;
    if (i == 0) return samples.front();
    const double part = (0.9 * full - counts[i - 1]) / (counts[i] - counts[i - 1]);
    return samples[i - 1] * std::pow(samples[i] / samples[i - 1], part);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

void claim_batches(const CapacityConfig& config, const Batches& found, Result& result) {
  Table critical{"critical_batch",
                 "samples at which 90 % of the population's facts are first found",
                 {"d", "sgd", "muon"}};
  std::vector<double> widths, needed;
  Largest most_facts;
  Least least_ratio;
  page::XyPlot plot{.title = "Facts after one step of Muon on a batch",
                    .note = "Squares: SGD.",
                    .x = {.name = "samples in the batch", .log = true},
                    .y = {.name = "facts recovered", .log = true},
                    .series = {}};
  int colour = 0;
  for (const auto& [d, samples] : found.samples) {
    const std::vector<double>& of_muon = found.muon.at(d);
    const std::vector<double>& of_sgd = found.sgd.at(d);
    for (size_t i = 0; i < samples.size(); ++i)
      most_facts.add(of_muon[i] / std::pow(samples[i], 1 / config.alpha));
    const double muon_batch = critical_batch(samples, of_muon, found.muon_full.at(d));
    const double sgd_batch = critical_batch(samples, of_sgd, found.sgd_full.at(d));
    critical.rows.push_back({static_cast<double>(d), sgd_batch, muon_batch});
    widths.push_back(static_cast<double>(d));
    needed.push_back(muon_batch);
    least_ratio.add(muon_batch / sgd_batch);
    plot.series.push_back(
        {.label = base::str("d = ", d), .x = samples, .y = of_muon, .colour = colour});
    plot.series.push_back({.label = base::str("SGD, d = ", d),
                           .x = samples,
                           .y = of_sgd,
                           .colour = colour++,
                           .marker = 2,
                           .line = false});
  }
  const Fit fit = fit_power(widths, needed);
  result.tables.push_back(std::move(critical));
  result.sections.push_back(
      {"batch",
       "How large a batch must be",
       "A batch of B samples shows about B^(1/alpha) different facts. Muon can "
       "recover more facts than SGD, so that it needs larger batches.",
       {std::move(plot)},
       ""});
  result.claims.push_back({.statement =
                               "On a batch of B samples Muon recovers at most C B^(1/alpha) "
                               "facts: the largest C over widths and batches.",
                           .source = "theorem \"multi\"; the bound of 3 is ours",
                           .measured = most_facts.value(),
                           .accepted = at_most(3)});
  result.claims.push_back({.statement = "Muon needs a larger batch than SGD for 90 % of what the "
                                        "population's gradient recovers: the least ratio.",
                           .source = "abstract",
                           .measured = least_ratio.value(),
                           .accepted = at_least(1.5)});
  result.claims.push_back(
      {.statement = "Muon's critical batch grows like d^(alpha + 1/2): the exponent.",
       .source = "from theorem \"multi\"",
       .owner = ClaimOwner::ours,
       .measured = fit.slope,
       .predicted = config.alpha + 0.5,
       .accepted = within(config.alpha + 0.5, 0.35),
       .confidence = fit.slope_interval,
       .note = "less than a decade of widths"});
}

}  // namespace

void run_batches(const CapacityConfig& config, Context& context, Result& result) {
  Table table{"batches",
              "facts recovered after one step on a batch, means over the seeds",
              {"d", "samples", "sgd", "muon"}};
  const KeptTables kept(result, {&table});
  const Batches found = measure_batches(config, context, table);
  result.tables.push_back(std::move(table));
  claim_batches(config, found, result);
}

}  // namespace muonlab::theory::capacity
