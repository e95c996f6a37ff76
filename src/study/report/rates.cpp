// How a sweep's learning rates were found.
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/study/sweep/answer.hpp"
#include "sections.hpp"

namespace muonlab::study {
namespace {

using base::fixed;
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
         (sound ? "" : base::str(" (", record::doubt_text(status.doubt), ")"));
}

// What tells a trial from the others of its search: its settings, its steps, its seed.
std::string trial_text(const Trial& trial) {
  std::string text = rates_text(trial.rates);
  if (trial.steps > 0) text += base::str("; ", trial.steps, " steps");
  if (trial.seed) text += base::str("; seed ", *trial.seed);
  return text;
}

// The losses along one setting while all others have the values that were taken.
std::string losses_along(const SweepResult& sweep, const RateSearch& search, size_t i) {
  std::vector<std::string> losses;
  for (const double value : search.rates[i].grid) {
    std::vector<double> rates = *search.best;
    rates[i] = value;
    for (const Trial& trial : search.trials) {
      if (trial.rates != rates || trial.steps > 0 || trial.seed) continue;
      const std::string text =
          escape(base::exact(value) + ": " + loss_text(sweep.cells[trial.cell].status));
      losses.push_back(rates == *search.best ? "<strong>" + text + "</strong>" : text);
    }
  }
  return base::join(losses, ", ");
}

// Of a search over several settings: each of them alone, and whether its best value is inside.
std::string settings_html(const SweepResult& sweep, const RateSearch& search) {
  std::vector<std::vector<TableCell>> rows;
  for (size_t i = 0; i < search.rates.size(); ++i) {
    const std::vector<double>& grid = search.rates[i].grid;
    const double taken = (*search.best)[i];
    const bool at_edge = (taken == grid.front() && taken > 0) || taken == grid.back();
    const bool matters = has_effect(search, i);
    rows.push_back({{escape(base::join(search.rates[i].paths, " = "))},
                    {matters ? "<strong>" + escape(base::exact(taken)) + "</strong>" : "–", true},
                    {!matters  ? "no effect in this row"
                     : at_edge ? "at the edge of what was tried"
                               : "inside"},
                    {matters ? losses_along(sweep, search, i) : ""}});
  }
  const std::vector<TableCell> head{
      {"setting"}, {"taken", true}, {"the best is"}, {"losses along it, the others as taken"}};
  return page::table("what the search took", head, rows);
}

}  // namespace

std::string rates_html(const ReportData& data) {
  std::string html;
  for (const SweepResult& sweep : data.sweeps) {
    for (const RateSearch& search : sweep.searches) {
      std::vector<std::vector<TableCell>> rows;
      for (const Trial& trial : search.trials) {
        const bool best = search.best && *search.best == trial.rates;
        const std::string loss = loss_text(sweep.cells[trial.cell].status);
        rows.push_back({{escape(trial_text(trial)), true},
                        {best ? "<strong>" + loss + "</strong>" : loss, true},
                        {best ? "taken" : ""}});
      }
      const std::vector<TableCell> head{
          {escape(rate_names(search)), true}, {"final validation loss", true}, {""}};
      const std::string block = block_title(sweep.config, search.block);
      html += "<h3>" +
              escape((block.empty() ? "" : block + ": ") + sweep.config.label(search.row)) +
              (search.own_rates ? ", for this row alone" : "") + "</h3>\n";
      const std::string trials = page::table("losses by learning rate", head, rows);
      if (search.rates.size() > 1 && search.best) {
        html += settings_html(sweep, search) + "<details><summary>All " +
                std::to_string(search.trials.size()) + " trials</summary>\n" + trials +
                "</details>\n";
      } else {
        html += trials;
      }
      if (search.out_of_runs)
        html += "<p class=\"note\">The search ended at its greatest number of runs.</p>\n";
      if (search.at_edge)
        html += "<p class=\"note\">The best rate is at the edge of its grid.</p>\n";
    }
  }
  if (html.empty()) return "";
  return "<p class=\"note\">Searched at one row of a block. All rows of the block keep the rate "
         "that was taken, unless the search was for its row alone.</p>\n" +
         html + from_line(data, "metrics.jsonl", "searches");
}

}  // namespace muonlab::study
