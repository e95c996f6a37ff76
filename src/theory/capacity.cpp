#include "muonlab/theory/capacity.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/ATen.h>

#include "capacity_model.hpp"
#include "capacity_path.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/fit.hpp"

namespace muonlab::theory {
namespace capacity {
namespace {

enum Rule { sgd, sign, muon, soft, softer, newton_step, kNumRules };
constexpr const char* kRuleNames[] = {
    "SGD", "SignSGD", "Muon", "Muon, lambda = p_d", "Muon, lambda = 3 p_d", "Newton"};

int64_t num_facts(const CapacityConfig& config, int64_t width) {
  return std::min(width * width, config.max_facts);
}

// Facts beyond these are recovered by chance alone.
int64_t num_asked(const CapacityConfig& config, int64_t width) {
  const double expected = std::pow(static_cast<double>(width), capacity_exponent(config.alpha, 1));
  return std::min(num_facts(config, width), static_cast<int64_t>(4 * expected));
}

double count(const GaussianMemory& memory, const at::Tensor& weights, int64_t asked) {
  return static_cast<double>(memory.recovered(weights, asked).sum().item<int64_t>());
}

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

OneStep measure_one_step(const CapacityConfig& config, Context& context) {
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
            count(memory, step_of(static_cast<Rule>(rule), memory, descent), num_asked(config, d)) /
            static_cast<double>(config.seeds);
        done += cost(d) / static_cast<double>(kNumRules * config.seeds);
      }
    }
  }
  return found;
}

struct Batches {
  std::map<int64_t, std::vector<double>> samples, sgd, muon;  // by width
  std::map<int64_t, double> sgd_full, muon_full;              // of the population's gradient
};

Batches measure_batches(const CapacityConfig& config, Context& context) {
  Batches found;
  const double share = 1 / static_cast<double>(config.seeds);
  for (size_t w = 0; w < config.batch_widths.size(); ++w) {
    const int64_t d = config.batch_widths[w], asked = num_asked(config, d);
    const double most = 32 * std::pow(static_cast<double>(d), config.alpha + 0.5);
    for (double samples = 4; samples <= most; samples *= 2) found.samples[d].push_back(samples);
    const size_t n = found.samples[d].size();
    found.sgd[d].resize(n);
    found.muon[d].resize(n);
    for (int64_t seed = 0; seed < config.seeds; ++seed) {
      const GaussianMemory memory(d, num_facts(config, d), config.alpha, seed);
      const at::Tensor full = memory.descent_at_zero(memory.frequencies());
      found.sgd_full[d] += share * count(memory, full, asked);
      found.muon_full[d] += share * count(memory, polar(full), asked);
      for (size_t i = 0; i < n; ++i) {
        context.progress(
            base::str("batches, d = ", d),
            0.6 + 0.2 * static_cast<double>(w) / static_cast<double>(config.batch_widths.size()));
        const at::Tensor shares = memory.sampled(static_cast<int64_t>(found.samples[d][i]),
                                                 seed * 1000 + static_cast<int64_t>(i));
        const at::Tensor descent = memory.descent_at_zero(shares);
        found.sgd[d][i] += share * count(memory, descent, asked);
        found.muon[d][i] += share * count(memory, polar(descent), asked);
      }
    }
  }
  return found;
}

// The number of samples at which 90 % of the population's count is first recovered, between the
// measured ones by the logarithms. Larger batches can fall below it again by chance.
double critical_batch(const std::vector<double>& samples, const std::vector<double>& counts,
                      double full) {
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] < 0.9 * full) continue;
    if (i == 0) return samples.front();
    const double part = (0.9 * full - counts[i - 1]) / (counts[i] - counts[i - 1]);
    return samples[i - 1] * std::pow(samples[i] / samples[i - 1], part);
  }
  return std::numeric_limits<double>::quiet_NaN();
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

void claim_batches(const CapacityConfig& config, const Batches& found, Result& result) {
  Table table{"batches",
              "facts recovered after one step on a batch, means over the seeds",
              {"d", "samples", "sgd", "muon"}};
  Table critical{"critical_batch",
                 "samples at which 90 % of the population's facts are first found",
                 {"d", "sgd", "muon"}};
  std::vector<double> widths, needed;
  double most_facts = 0, least_ratio = INFINITY;
  page::XyPlot plot{.title = "Facts after one step of Muon on a batch",
                    .note = "Squares: SGD.",
                    .x = {.name = "samples in the batch", .log = true},
                    .y = {.name = "facts recovered", .log = true},
                    .series = {}};
  int colour = 0;
  for (const auto& [d, samples] : found.samples) {
    const std::vector<double>& of_muon = found.muon.at(d);
    const std::vector<double>& of_sgd = found.sgd.at(d);
    for (size_t i = 0; i < samples.size(); ++i) {
      table.rows.push_back({static_cast<double>(d), samples[i], of_sgd[i], of_muon[i]});
      most_facts = std::max(most_facts, of_muon[i] / std::pow(samples[i], 1 / config.alpha));
    }
    const double muon_batch = critical_batch(samples, of_muon, found.muon_full.at(d));
    const double sgd_batch = critical_batch(samples, of_sgd, found.sgd_full.at(d));
    critical.rows.push_back({static_cast<double>(d), sgd_batch, muon_batch});
    widths.push_back(static_cast<double>(d));
    needed.push_back(muon_batch);
    least_ratio = std::min(least_ratio, muon_batch / sgd_batch);
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
  result.tables.push_back(std::move(table));
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
                           .measured = most_facts,
                           .accepted = at_most(3)});
  result.claims.push_back({.statement = "Muon needs a larger batch than SGD for 90 % of what the "
                                        "population's gradient recovers: the least ratio.",
                           .source = "abstract",
                           .measured = least_ratio,
                           .accepted = at_least(1.5)});
  result.claims.push_back(
      {.statement = "Muon's critical batch grows like d^(alpha + 1/2): the exponent.",
       .source = "ours, from theorem \"multi\"",
       .owner = ClaimOwner::ours,
       .measured = fit.slope,
       .predicted = config.alpha + 0.5,
       .accepted = within(config.alpha + 0.5, 0.35),
       .confidence = fit.slope_interval,
       .note = "less than a decade of widths"});
}

void draw_one_step(const CapacityConfig& config, const OneStep& found, Result& result) {
  Table table{"one_step", "facts recovered after one step, means over the seeds", {"d"}};
  for (const char* name : kRuleNames) table.columns.push_back(name);
  for (size_t i = 0; i < found.widths.size(); ++i) {
    table.rows.push_back({found.widths[i]});
    for (const std::vector<double>& counts : found.counts) table.rows.back().push_back(counts[i]);
  }
  result.tables.push_back(std::move(table));
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
}  // namespace capacity

void CapacityConfig::check(const config::Fail& fail) const {
  const auto check_widths = [&](const char* name, const std::vector<int64_t>& list, int64_t most) {
    if (list.size() < 2) fail(name, "needs at least two widths for an exponent");
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i] < 8 || list[i] > most)
        fail(name, base::str(list[i], " is not between 8 and ", most));
      if (i > 0 && list[i] <= list[i - 1])
        fail(name, base::str(list[i], " follows ", list[i - 1], "; widths must increase"));
    }
  };
  check_widths("widths", widths, 1024);
  check_widths("batch_widths", batch_widths, 256);
  check_widths("path_widths", path_widths, 96);
}

double capacity_exponent(double alpha, int64_t steps) {
  return 2 - std::pow(1 - 1 / (2 * alpha), static_cast<double>(steps));
}

void run(const CapacityConfig& config, Context& context, Result& result) {
  result.remarks = {
      "The full text of the paper could not be obtained. Theorem and conjecture for several steps "
      "are quoted from a page of open problems; widths, numbers of facts, batches and all ranges "
      "are ours.",
      "Embeddings are N(0, I/d), which the theorem's step size d^(1/2) suggests."};
  const capacity::OneStep one = capacity::measure_one_step(config, context);
  capacity::claim_one_step(config, one, result);
  capacity::draw_one_step(config, one, result);
  const capacity::Batches batches = capacity::measure_batches(config, context);
  capacity::claim_batches(config, batches, result);
  capacity::run_paths(config, context, result);
}

}  // namespace muonlab::theory
