// How a sweep's learning rates were found.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/page/xy_plot.hpp"
#include "muonlab/study/sweep/answer.hpp"
#include "rows.hpp"
#include "sections.hpp"

namespace muonlab::study {
namespace {

using base::fixed;
using base::str;
using page::escape;
using page::TableCell;

std::string rate_names(const RateSearch& search) {
  std::vector<std::string> names;
  for (const config::RateGrid& rate : search.rates) names.push_back(base::join(rate.paths, " = "));
  return base::join(names, ", ");
}

std::string rates_text(const std::vector<double>& rates) {
  std::vector<std::string> texts;
  for (double rate : rates) texts.push_back(base::exact(rate));
  return base::join(texts, ", ");
}

// The loss of a trial and what is wrong with it, or why it has none.
std::string loss_text(const CellStatus& status) {
  switch (status.state) {
    case CellState::queued: return "not run yet";
    case CellState::running: return "running";
    case CellState::failed: return "failed";
    case CellState::diverged: return "diverged";
    case CellState::finished: break;
  }
  if (!status.val_loss) return "no loss";
  const bool sound = status.doubt == record::LossDoubt::none;
  return fixed(*status.val_loss, 4) +
         (sound ? "" : str(" (", record::doubt_text(status.doubt), ")"));
}

// "embed.lr", "qk.decay and 5 more".
std::string short_name(const config::RateGrid& rate) {
  constexpr std::string_view kSection = "optimizers.";
  const std::string& path = rate.paths.front();
  const std::string name = path.starts_with(kSection) ? path.substr(kSection.size()) : path;
  return rate.paths.size() == 1 ? name : str(name, " and ", rate.paths.size() - 1, " more");
}

// All values of a search over few settings; of one over many, what differs from its first trial.
bool lists_differences(const RateSearch& search) { return search.rates.size() > 3; }

std::string values_text(const RateSearch& search, const Trial& trial) {
  if (!lists_differences(search)) return rates_text(trial.rates);
  std::vector<std::string> changes;
  for (size_t i = 0; i < trial.rates.size(); ++i) {
    if (trial.rates[i] != search.trials.front().rates[i])
      changes.push_back(short_name(search.rates[i]) + " " + base::exact(trial.rates[i]));
  }
  return changes.empty() ? "the first" : base::join(changes, ", ");
}

// What tells a trial from the others of its search: its settings, its steps, its seed.
std::string trial_text(const RateSearch& search, const Trial& trial) {
  std::string text = values_text(search, trial);
  if (trial.steps > 0) text += str("; ", trial.steps, " steps");
  if (trial.seed) text += str("; seed ", *trial.seed);
  return text;
}

// The losses along one setting while all others have the values that were taken.
std::string losses_along(const SweepResult& sweep, const RateSearch& search, size_t i) {
  std::vector<std::string> losses;
  for (const double value : search.rates[i].grid) {
    std::vector<double> rates = *search.best;
    rates[i] = value;
    for (const Trial& trial : search.trials) {
      if (trial.rates != rates || !is_of_first_round(search, trial)) continue;
      const std::string text =
          escape(base::exact(value) + ": " + loss_text(sweep.cells[trial.cell].status));
      losses.push_back(rates == *search.best ? "<strong>" + text + "</strong>" : text);
    }
  }
  return base::join(losses, ", ");
}

std::string after_steps(const RateSearch& search) {
  const int64_t steps = search.trials.empty() ? 0 : search.trials.front().steps;
  return steps > 0 ? str(" after ", steps, " steps") : "";
}

// The lowest loss of any trial with each value of a setting; trials that diverged are left out.
std::map<double, double> lowest_by_value(const SweepResult& sweep, const RateSearch& search,
                                         size_t i) {
  std::map<double, double> lowest;
  for (const Trial& trial : search.trials) {
    const std::optional<double> loss = loss_for_search(sweep.cells[trial.cell].status);
    if (!is_of_first_round(search, trial) || !loss || !std::isfinite(*loss)) continue;
    const auto [found, is_new] = lowest.try_emplace(trial.rates[i], *loss);
    if (!is_new) found->second = std::min(found->second, *loss);
  }
  return lowest;
}

// A line for each setting whose values are multiples of each other, as rates are and betas are not:
// how sharp its valley is.
page::XyPlot loss_plot(const SweepResult& sweep, const RateSearch& search, std::string title) {
  const bool several = search.rates.size() > 1;
  page::XyPlot plot{
      .title = std::move(title),
      .x = {.name = several ? "multiple of the value taken" : rate_names(search), .log = true},
      .y = {.name = "lowest validation loss" + after_steps(search)},
      .series = {}};
  for (size_t i = 0; i < search.rates.size() && search.best; ++i) {
    const std::map<double, double> lowest = lowest_by_value(sweep, search, i);
    if (lowest.size() < 2) continue;
    const double least = lowest.begin()->first, most = lowest.rbegin()->first;
    if (least <= 0 || most < 2 * least || !has_effect(search, i)) continue;
    page::XySeries series{.label = several ? short_name(search.rates[i]) : "",
                          .x = {},
                          .y = {},
                          .colour = static_cast<int>(plot.series.size()) % page::kNumColours,
                          .marker = 1};
    for (const auto& [value, loss] : lowest) {
      series.x.push_back(value / (several ? (*search.best)[i] : 1));
      series.y.push_back(loss);
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

// Of a search over several settings: each that matters in this row, and whether its best value is
// inside.
std::string settings_html(const SweepResult& sweep, const RateSearch& search) {
  std::vector<std::vector<TableCell>> rows;
  std::vector<std::string> idle;
  for (size_t i = 0; i < search.rates.size(); ++i) {
    const std::vector<double>& grid = search.rates[i].grid;
    const double taken = (*search.best)[i];
    const bool at_edge = (taken == grid.front() && taken > 0) || taken == grid.back();
    if (!has_effect(search, i)) {
      idle.push_back(short_name(search.rates[i]));
      continue;
    }
    rows.push_back({{str("<span title=\"", escape(base::join(search.rates[i].paths, " = ")), "\">",
                         escape(short_name(search.rates[i])), "</span>")},
                    {"<strong>" + escape(base::exact(taken)) + "</strong>", true},
                    {at_edge ? "at the edge of what was tried" : "inside"},
                    {losses_along(sweep, search, i)}});
  }
  const std::vector<TableCell> head{
      {"setting"},
      {"taken", true},
      {"the best is"},
      {"losses along it" + after_steps(search) + ", the others as taken"}};
  return page::table("what the search took", head, rows) +
         (idle.empty() ? ""
                       : "<p class=\"note\">Without effect in this row: " +
                             escape(base::join(idle, ", ")) + ".</p>\n");
}

// The lowest loss that an unfinished search has found; infinite while it has none.
double lowest_so_far(const SweepResult& sweep, const RateSearch& search) {
  double lowest = INFINITY;
  for (const Trial& trial : search.trials) {
    if (is_of_first_round(search, trial))
      lowest = std::min(lowest, loss_for_search(sweep.cells[trial.cell].status).value_or(INFINITY));
  }
  return lowest;
}

// Trials that a setting without effect makes the same run stand once. Where what was tried may be
// long, it stands last, so that a narrow screen shows the losses.
std::string trials_table(const SweepResult& sweep, const RateSearch& search) {
  const double lowest = lowest_so_far(sweep, search);
  const bool is_long = lists_differences(search);
  std::set<size_t> shown;
  std::vector<std::vector<TableCell>> rows;
  for (const Trial& trial : search.trials) {
    const bool taken = search.best && *search.best == trial.rates;
    if (!shown.insert(trial.cell).second && !taken) continue;
    const CellStatus& status = sweep.cells[trial.cell].status;
    const bool leads = !search.best && is_of_first_round(search, trial) && std::isfinite(lowest) &&
                       loss_for_search(status) == lowest;
    const std::string loss = loss_text(status), note = taken ? "taken" : leads ? "best so far" : "";
    std::vector<TableCell> cells{{escape(trial_text(search, trial)), !is_long},
                                 {taken || leads ? "<strong>" + loss + "</strong>" : loss, true},
                                 {note}};
    if (is_long) std::rotate(cells.begin(), cells.begin() + 1, cells.end());
    rows.push_back(std::move(cells));
  }
  std::vector<TableCell> head{is_long ? TableCell{"what differs from the first"}
                                      : TableCell{escape(rate_names(search)), true},
                              {"final validation loss", true},
                              {""}};
  if (is_long) std::rotate(head.begin(), head.begin() + 1, head.end());
  return page::table("losses by learning rate", head, rows);
}

}  // namespace

std::string rates_html(const ReportData& data) {
  std::string html;
  std::vector<page::XyPlot> plots;
  for (size_t i = 0; i < data.sweeps.size(); ++i) {
    const SweepResult& sweep = data.sweeps[i];
    for (const RateSearch& search : sweep.searches) {
      std::string title = titled_block(data.sweep_names[i], sweep.config, search.block);
      title += (title.empty() ? "" : ": ") + sweep.config.label(search.row);
      plots.push_back(loss_plot(sweep, search, title));
      if (plots.back().series.empty()) plots.pop_back();
      html += "<h3>" + escape(title) + (search.own_rates ? ", for this row alone" : "") + "</h3>\n";
      const std::string trials = trials_table(sweep, search);
      if (search.rates.size() > 1 && search.best) {
        html += settings_html(sweep, search) + "<details><summary>All " +
                std::to_string(num_runs(search)) + " trials</summary>\n" + trials + "</details>\n";
      } else {
        html += trials;
      }
      if (search.all_diverged)
        html +=
            "<p class=\"note\">Every trial diverged or its loss exploded, so no value was "
            "taken.</p>\n";
      if (search.out_of_runs)
        html += "<p class=\"note\">The search ended at its greatest number of runs.</p>\n";
      if (search.at_edge)
        html += "<p class=\"note\">The best rate is at the edge of its grid.</p>\n";
    }
  }
  if (html.empty()) return "";
  const std::string key =
      "<p class=\"note\">A point is the lowest loss of any trial that had this value of the "
      "setting. Where a line is flat, the setting hardly matters. Trials that diverged are left "
      "out.</p>\n";
  return "<p class=\"note\">Searched at one row of a block. All rows of the block keep the rate "
         "that was taken, unless the search was for its row alone.</p>\n" +
         (plots.empty() ? "" : key + page::xy_plots(plots)) + html +
         from_line(data, "metrics.jsonl", "searches");
}

}  // namespace muonlab::study
