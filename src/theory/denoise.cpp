#include "muonlab/theory/denoise.hpp"

#include <algorithm>
#include <cmath>

#include "denoise_model.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/theory/extreme.hpp"
#include "muonlab/theory/fit.hpp"

namespace muonlab::theory {
namespace denoise {
namespace {

std::vector<double> horizons(const std::vector<double>& betas) {
  std::vector<double> values;
  for (const double beta : betas) values.push_back(2 / (1 - beta) - 1);
  return values;
}

// The part of a curve whose horizon 2T - 1 is at least `least`.
Fit fit_from(const std::vector<double>& horizon, const std::vector<double>& y, double least) {
  std::vector<double> xs, ys;
  for (size_t i = 0; i < y.size(); ++i) {
    if (horizon[i] < least || y[i] <= 0) continue;
    xs.push_back(horizon[i]);
    ys.push_back(y[i]);
  }
  return fit_power(xs, ys);
}

constexpr double kAveraged = 0.5;  // decay from which an average holds several gradients

void claim_orders(const DenoiseConfig& config, const Sweeps& sweeps, Result& result) {
  Least least_rise, least_lead;
  Largest worst_fall, post_change;
  const auto grown = [&](double beta) {
    return 1 - std::pow(beta, static_cast<double>(config.gradients));
  };
  for (const Curve& curve : sweeps.by_beta) {
    least_rise.add(curve.pre.back() - curve.pre.front());
    for (size_t i = 1; i < curve.pre.size(); ++i) worst_fall.add(curve.pre[i - 1] - curve.pre[i]);
    for (size_t i = 0; i < curve.post.size(); ++i) {
      const double beta = sweeps.betas[i];
      if (beta < kAveraged) continue;
      post_change.add(std::abs(curve.post[i] / grown(beta) - curve.single));
    }
  }
  for (const Curve& curve : sweeps.at_beta) {
    least_lead.add(curve.pre[0] - curve.post[0] / grown(config.beta));
    least_lead.add(curve.pre[0] - curve.single);
  }
  result.claims.push_back(
      {.statement = "If the average is orthogonalized, its alignment with the signal rises with "
                    "beta: the least rise over the ranks, from beta 0 to 0.995.",
       .source = "figure of the alignment",
       .measured = least_rise.value(),
       .accepted = at_least(0.3)});
  result.claims.push_back({.statement = "It rises without falling back: the largest fall from one "
                                        "beta to the next, over all ranks.",
                           .source = "figure of the alignment",
                           .measured = worst_fall.value(),
                           .accepted = at_most(0.01)});
  result.claims.push_back(
      {.statement = "If orthogonalized gradients are averaged, the alignment does not depend on "
                    "beta: the largest difference from no average over ranks and betas, for beta "
                    "from 0.5 on (below, a mean holds too few gradients to tell).",
       .source = "figure of the alignment",
       .measured = post_change.value(),
       .accepted = at_most(0.03)});
  result.claims.push_back(
      {.statement = base::str("At beta ", base::exact(config.beta),
                              " averaging first is ahead of both other orders: the least lead in "
                              "alignment over the ranks."),
       .source = "theorem 2",
       .measured = least_lead.value(),
       .accepted = at_least(0.1)});
}

void claim_bounds(const Sweeps& sweeps, Result& result) {
  int64_t violations = 0, checked = 0;
  double allowed = 0;
  for (const std::vector<Curve>* curves : {&sweeps.by_beta, &sweeps.by_noise}) {
    for (const Curve& curve : *curves) {
      violations += curve.violations;
      checked += curve.checked;
      allowed += curve.allowed;
    }
  }
  result.claims.push_back(
      {.statement = "Both bounds on the average's singular values hold as often as promised: the "
                    "share of averages that break one.",
       .source = "theorem 1",
       .measured = static_cast<double>(violations) / static_cast<double>(checked),
       .accepted = at_most(allowed / static_cast<double>(checked)),
       .note = base::str(checked, " averages")});
  const std::vector<double> horizon = horizons(sweeps.betas);
  const Curve& first = sweeps.by_beta.front();
  const Fit rest = fit_from(horizon, first.rest, 7);
  result.claims.push_back({.statement =
                               "The largest singular value that is noise falls at least as fast as "
                               "(2T - 1)^(-1/4) does: its exponent, for the first rank.",
                           .source = "theorem 1",
                           .measured = rest.slope,
                           .accepted = at_most(-0.25),
                           .confidence = rest.slope_interval});
  result.claims.push_back(
      {.statement = "It falls like (2T - 1)^(-1/2), because the average's noise has that standard "
                    "deviation. The bound, by Markov's inequality, gives half the exponent.",
       .source = "ours",
       .owner = ClaimOwner::ours,
       .measured = rest.slope,
       .predicted = -0.5,
       .accepted = within(-0.5, 0.05),
       .confidence = rest.slope_interval});
  const Fit sine = fit_from(horizon, first.sine, 7);
  result.claims.push_back(
      {.statement = "The sine of the angle between the spaces of signal and average falls at least "
                    "as fast as T^(-1/4): its exponent in 2T - 1, for the first rank.",
       .source = "corollary of theorem 1",
       .measured = sine.slope,
       .accepted = at_most(-0.25),
       .confidence = sine.slope_interval});
  std::vector<double> missing;
  for (const double value : first.pre) missing.push_back(1 - value);
  const Fit lack = fit_from(horizon, missing, 7);
  result.claims.push_back(
      {.statement = "What the alignment of averaging first lacks to 1 falls at least as fast as "
                    "(2T - 1)^(-1/2): its exponent, for the first rank.",
       .source = "theorem 2",
       .measured = lack.slope,
       .accepted = at_most(-0.5 + 0.05),
       .confidence = lack.slope_interval});
}

void claim_spike(const Spike& spike, Result& result) {
  const Fit fit = fit_power(spike.rows, spike.alignment);
  result.claims.push_back(
      {.statement = "For a weak signal of rank one in m rows, one orthogonalized gradient is "
                    "aligned like m^(-1/2): its exponent, for 100 to 1,600 rows of 20 columns.",
       .source = "theorem 3",
       .measured = fit.slope,
       .predicted = -0.5,
       .accepted = within(-0.5, 0.1),
       .confidence = fit.slope_interval});
  Table table{
      "spike", "one orthogonalized gradient of a weak rank-one signal", {"rows", "alignment"}};
  for (size_t i = 0; i < spike.rows.size(); ++i)
    table.rows.push_back({spike.rows[i], spike.alignment[i]});
  result.tables.push_back(std::move(table));
}

std::vector<double> column(const std::vector<Curve>& curves, size_t from, size_t count,
                           double (*value)(const Curve&)) {
  std::vector<double> values;
  for (size_t i = from; i < from + count; ++i) values.push_back(value(curves[i]));
  return values;
}

void draw(const DenoiseConfig& config, const Sweeps& sweeps, Result& result) {
  Table by_beta{"by_beta",
                "alignment and noise against beta, means over the seeds",
                {"rank", "beta", "average_first", "orthogonalize_first", "no_average",
                 "first_noise_value", "sine"}};
  Table by_noise{"by_noise",
                 "alignment against the noise, means over the seeds",
                 {"rank", "noise", "average_first", "orthogonalize_first", "no_average"}};
  Section beta_part{"beta",
                    "Alignment against beta",
                    "Alignment is the inner product of the update with the signal, divided by that "
                    "of the signal's own polar factor. 1 is as good as without noise.",
                    {},
                    ""};
  Section noise_part{"noise", "Alignment against the noise", "", {}, ""};
  const size_t num_levels = sweeps.levels.size();
  for (size_t r = 0; r < config.ranks.size(); ++r) {
    const Curve& curve = sweeps.by_beta[r];
    const auto rank = static_cast<double>(curve.rank);
    for (size_t i = 0; i < sweeps.betas.size(); ++i) {
      by_beta.rows.push_back({rank, sweeps.betas[i], curve.pre[i], curve.post[i], curve.single,
                              curve.rest[i], curve.sine[i]});
    }
    const std::string title = base::str("Rank ", curve.rank);
    const std::vector<double> flat(sweeps.betas.size(), curve.single);
    const page::XyAxis alignment{.name = "alignment", .range = std::pair{0.0, 1.0}};
    const std::vector<double> horizon = horizons(sweeps.betas);
    beta_part.plots.push_back(
        {.title = title,
         .x = {.name = "2T - 1, with T = 1 / (1 - beta)", .log = true},
         .y = alignment,
         .series = {{.label = "average first", .x = horizon, .y = curve.pre, .colour = 0},
                    {.label = "orthogonalize first", .x = horizon, .y = curve.post, .colour = 1},
                    {.label = "no average", .x = horizon, .y = flat, .colour = 2}}});
    const size_t from = r * num_levels;
    const auto values = [&](double (*value)(const Curve&)) {
      return column(sweeps.by_noise, from, num_levels, value);
    };
    const std::vector<double> pre = values([](const Curve& c) { return c.pre[0]; });
    const std::vector<double> post = values([](const Curve& c) { return c.post[0]; });
    const std::vector<double> single = values([](const Curve& c) { return c.single; });
    for (size_t i = 0; i < num_levels; ++i)
      by_noise.rows.push_back({rank, sweeps.levels[i], pre[i], post[i], single[i]});
    noise_part.plots.push_back(
        {.title = title,
         .x = {.name = "standard deviation of the noise", .log = true},
         .y = alignment,
         .series = {{.label = "average first", .x = sweeps.levels, .y = pre, .colour = 0},
                    {.label = "orthogonalize first", .x = sweeps.levels, .y = post, .colour = 1},
                    {.label = "no average", .x = sweeps.levels, .y = single, .colour = 2}}});
  }
  noise_part.text = base::str("At beta ", base::exact(config.beta), ".");
  result.tables.push_back(std::move(by_beta));
  result.tables.push_back(std::move(by_noise));
  result.sections.push_back(std::move(beta_part));
  result.sections.push_back(std::move(noise_part));
}

// The first singular values of one gradient and of the average, for one seed.
void draw_spectra(const DenoiseConfig& config, Result& result) {
  const int64_t rank = config.ranks[config.ranks.size() / 2];
  const Signal signal = make_signal(config, rank);
  const at::Tensor noise =
      arch_noise(config.gradients, config.rows, config.columns, config.arch, 0);
  const at::Tensor average =
      at::mm(average_weights({config.beta}, config.gradients), noise.flatten(1))
          .view({config.rows, config.columns});
  const auto values = [&](const at::Tensor& noisy) {
    const at::Tensor s = at::linalg_svdvals(signal.matrix() + noisy * config.noise);
    const auto shown = std::min<int64_t>(60, s.size(0));
    return std::vector<double>(s.const_data_ptr<double>(), s.const_data_ptr<double>() + shown);
  };
  const std::vector<double> one = values(noise[-1]), many = values(average);
  std::vector<double> index(one.size());
  std::iota(index.begin(), index.end(), 1.0);
  std::vector<double> clean_x(index.begin(), index.begin() + rank);
  result.sections.push_back(
      {"spectra",
       "What averaging does to the spectrum",
       "",
       {{.title = base::str("Rank ", rank, ", seed 0"),
         .x = {.name = "index"},
         .y = {.name = "singular value"},
         .series = {{.label = "one gradient", .x = index, .y = one, .colour = 1},
                    {.label = "average", .x = index, .y = many, .colour = 0},
                    {.label = "signal",
                     .x = clean_x,
                     .y = signal.values,
                     .colour = 2,
                     .marker = 1,
                     .line = false}}}},
       ""});
}

}  // namespace
}  // namespace denoise

void DenoiseConfig::check(const config::Fail& fail) const {
  if (ranks.empty()) fail("ranks", "is empty; the paper's are 1 3 5 10 15");
  for (const int64_t rank : ranks) {
    if (rank < 1 || rank >= std::min(rows, columns)) {
      fail("ranks", base::str(rank, " is not between 1 and ", std::min(rows, columns) - 1,
                              ", which leaves noise beside the signal"));
    }
  }
  if (static_cast<double>(gradients) * static_cast<double>(rows * columns) > 1e8) {
    fail("gradients", base::str(gradients, " of ", rows, " x ", columns,
                                " take more than 800 MB a thread; choose fewer or smaller ones"));
  }
}

void run(const DenoiseConfig& config, Context& context, Result& result) {
  result.remarks = {
      "The decays are our choice between the paper's ends: 1 - beta falls geometrically to 0.005.",
      "The paper names ARCH(1) noise with coefficient 0.3; that each entry has a variance of its "
      "own is our reading.",
      base::str("Where gradients are orthogonalized one by one, the average is over the last ",
                config.window,
                " of them, with weights that sum to those of the whole average. "
                "Alignment is linear in the polar factors and their law does not change, so that "
                "the mean is the same.")};
  denoise::draw_spectra(config, result);
  const denoise::Sweeps sweeps = denoise::measure_all(config, context);
  const denoise::Spike spike = denoise::measure_spike(400, context);
  denoise::claim_orders(config, sweeps, result);
  denoise::claim_bounds(sweeps, result);
  denoise::claim_spike(spike, result);
  denoise::draw(config, sweeps, result);
}

}  // namespace muonlab::theory
