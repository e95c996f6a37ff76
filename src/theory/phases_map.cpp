// Who wins over the exponents of covariance and target, by the deterministic equations.
#include <algorithm>
#include <cmath>
#include <map>

#include "least_squares.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/theory/extreme.hpp"
#include "muonlab/theory/fit.hpp"
#include "phases_parts.hpp"

namespace muonlab::theory::phases {
namespace {

enum Winner { sgd_always, trade_off, svd_always };
constexpr const char* kWinnerNames[] = {"SignSGD throughout", "SignSGD first, SignSVD later",
                                        "SignSVD throughout"};
constexpr const char* kWinnerWords[] = {"SignSGD", "both", "SignSVD"};
// Before this time the losses show how training starts, and constants more than exponents.
constexpr double kFirst = 20;
constexpr double kLastOfSlope = 200;

Winner predicted_winner(double a, double b) {
  if (a < 1) return sgd_always;
  return a > std::max(2.0, 2 * b + 1) ? svd_always : trade_off;
}

struct Race {
  LossCurve svd, sgd;
  double last;  // the time at which SignSVD has learned its last mode
  // log10 of SignSVD's loss over SignSGD's
  double lead(double s) const { return std::log10(svd.at(s) / sgd.at(s)); }
  Winner winner() const {
    if (lead(kFirst) <= 0) return svd_always;
    return lead(last) > 0 ? sgd_always : trade_off;
  }
  // The first time from 1 on at which SignSVD is ahead.
  double crossing() const {
    for (double s = 1; s < svd.time.back(); s *= 1.01) {
      if (lead(s) <= 0) return s;
    }
    return NAN;
  }
};

Race race(int64_t inputs, double a, double b) {
  const LeastSquares problem{2, inputs, 2, a};  // in time s, outputs and batch drop out
  const double last =
      std::max(kLastOfSlope, problem.trace(0.5) * std::pow(static_cast<double>(inputs), a / 2));
  return {integrate(problem, SignRule::svd, b, 1.1 * last),
          integrate(problem, SignRule::sgd, b, 1.1 * last), last};
}

struct Slope {
  double a, b, svd, sgd;  // NaN: not yet asymptotic at this size
};
constexpr Slope kSlopes[] = {{1.5, 0, -0.67, -0.33},
                             {2.5, 0, -1.2, -0.6},
                             {2.5, 0.5, -1.2, -1.0},
                             {2.5, 2, -1.2, -1.6},
                             {1.5, 1, NAN, -1.33}};

void claim_slopes(const PhasesConfig& config, Context& context, Result& result) {
  Table table{"slopes",
              "exponents of the loss in time, s from 20 to 200",
              {"a", "b", "svd", "svd_predicted", "sgd", "sgd_predicted"}};
  Largest worst;
  for (const Slope& law : kSlopes) {
    context.progress("exponents of the loss", 0.3);
    const Race found = race(config.map_inputs, law.a, law.b);
    const double svd = found.svd.slope(kFirst, kLastOfSlope),
                 sgd = found.sgd.slope(kFirst, kLastOfSlope);
    table.rows.push_back({law.a, law.b, svd, law.svd, sgd, law.sgd});
    if (!std::isnan(law.svd)) worst.add(std::abs(svd - law.svd));
    worst.add(std::abs(sgd - law.sgd));
  }
  result.tables.push_back(std::move(table));
  result.claims.push_back(
      {.statement = "Exponents of the loss are the slower one of bias and noise: the largest error "
                    "over nine exponents.",
       .source = "ours",
       .owner = ClaimOwner::ours,
       .measured = worst.value(),
       .predicted = 0,
       .accepted = at_most(0.2),
       .note = "SignSVD: bias s^(-2(a+2b-1)/a), noise s^(-2(a-1)/a). SignSGD: bias "
               "s^(-(a+2b-1)/a), noise s^(-(2a-1)/a)"});
}

void claim_crossing(const PhasesConfig& config, Context& context, Result& result) {
  Table table{"crossing", "time at which SignSVD comes ahead, a = 1.5 and b = 0", {"n", "time"}};
  std::vector<double> sizes, times;
  for (int64_t n = config.map_inputs; n >= 50 && n > config.map_inputs / 16; n /= 2) {
    context.progress("time of the crossing", 0.3);
    sizes.push_back(static_cast<double>(n));
    times.push_back(race(n, 1.5, 0).crossing());
    table.rows.push_back({sizes.back(), times.back()});
  }
  const Fit fit = fit_power(sizes, times);
  result.tables.push_back(std::move(table));
  result.claims.push_back({.statement = "For a = 1.5 and b = 0 SignSVD comes ahead at a time that "
                                        "grows like n^(2 - a): the exponent.",
                           .source = "ours",
                           .owner = ClaimOwner::ours,
                           .measured = fit.slope,
                           .predicted = 0.5,
                           .accepted = within(0.5, 0.1),
                           .confidence = fit.slope_interval});
}

void claim_regions(const PhasesConfig& config, Context& context, Result& result) {
  Table table{"map",
              "who is ahead, from s = 20 until SignSVD has learned its last mode",
              {"a", "b", "lead_at_20", "last_time", "lead_at_last", "winner", "predicted"}};
  const KeptTables kept(result, {&table});
  const double top = std::max(2.0, *std::ranges::max_element(config.map_target));
  page::XyPlot plot{
      .title = base::str("Who wins, n = ", config.map_inputs),
      .note = "Grey lines: our boundaries a = 1 and a = max(2, 2b + 1). The paper's are not known.",
      .x = {.name = "exponent a of the covariance"},
      .y = {.name = "exponent b of the target", .range = std::pair{-0.05 * top, 1.05 * top}},
      .series = {}};
  for (int winner = 0; winner < 3; ++winner) {
    plot.series.push_back({.label = kWinnerNames[winner],
                           .x = {},
                           .y = {},
                           .colour = winner,
                           .marker = winner == trade_off ? 2 : 1,
                           .line = false});
  }
  std::map<double, std::string> cells;  // of a row of the table below the plot, by b
  const auto add = [&](double a, double b) {
    const Race found = race(config.map_inputs, a, b);
    const Winner winner = found.winner();
    table.rows.push_back({a, b, found.lead(kFirst), found.last, found.lead(found.last),
                          kWinnerNames[winner], kWinnerNames[predicted_winner(a, b)]});
    page::XySeries& series = plot.series[static_cast<size_t>(winner)];
    series.x.push_back(a);
    series.y.push_back(b);
    return winner;
  };
  int64_t agree = 0, count = 0;
  bool seen[3] = {};
  for (const double a : config.map_covariance) {
    for (const double b : config.map_target) {
      const Winner winner = add(a, b);
      seen[winner] = true;
      agree += winner == predicted_winner(a, b) ? 1 : 0;
      ++count;
    }
  }
  constexpr int kRows = 9, kColumns = 14;
  for (int i = 0; i < kColumns; ++i) {
    context.progress("map of the exponents", 0.3 * i / kColumns);
    for (int j = 0; j < kRows; ++j) {
      const double a = 0.4 + 0.2 * i, b = 0.25 * j;
      cells[b] +=
          base::str("<td>", base::significant(a, 2), ": ", kWinnerWords[add(a, b)], "</td>");
    }
  }
  std::string rows;
  for (const auto& [b, text] : cells)
    rows += base::str("<tr><th>b = ", base::significant(b, 3), "</th>", text, "</tr>\n");
  plot.series.push_back({.label = "our boundaries", .x = {1, 1}, .y = {0, 2}, .guide = true});
  plot.series.push_back({.label = "", .x = {2, 2, 3}, .y = {0, 0.5, 1}, .guide = true});
  result.tables.push_back(std::move(table));
  result.sections.push_back(
      {"map",
       "Who wins early and late",
       "",
       {std::move(plot)},
       "<details><summary>The map in words, with a in each cell</summary>\n<div class=\"scroll\">"
       "<table>" +
           rows + "</table></div></details>\n"});
  result.claims.push_back(
      {.statement = "The plane of the two exponents has three regions: SignSGD always better, a "
                    "trade-off, SignSVD always better. Regions found.",
       .source = "abstract",
       .measured = static_cast<double>(seen[0] + seen[1] + seen[2]),
       .predicted = 3,
       .accepted = within(3, 0)});
  result.claims.push_back({.statement = "They lie where our boundaries put them: the share of the "
                                        "configured exponents.",
                           .source = "ours",
                           .owner = ClaimOwner::ours,
                           .measured = static_cast<double>(agree) / static_cast<double>(count),
                           .predicted = 1,
                           .accepted = within(1, 0)});
}

}  // namespace

void run_map(const PhasesConfig& config, Context& context, Result& result) {
  claim_regions(config, context, result);
  claim_slopes(config, context, result);
  claim_crossing(config, context, result);
}

}  // namespace muonlab::theory::phases
