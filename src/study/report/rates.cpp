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

}  // namespace

std::string rates_html(const ReportData& data) {
  std::string html;
  for (const SweepResult& sweep : data.sweeps) {
    for (const RateSearch& search : sweep.searches) {
      std::vector<std::vector<TableCell>> rows;
      for (const Trial& trial : search.trials) {
        const bool best = search.best && *search.best == trial.rates;
        const std::string loss = loss_text(sweep.cells[trial.cell].status);
        rows.push_back({{escape(rates_text(trial.rates)), true},
                        {best ? "<strong>" + loss + "</strong>" : loss, true},
                        {best ? "taken" : ""}});
      }
      const std::vector<TableCell> head{
          {escape(rate_names(search)), true}, {"final validation loss", true}, {""}};
      const std::string block = block_title(sweep.config, search.block);
      html += "<h3>" +
              escape((block.empty() ? "" : block + ": ") + sweep.config.label(search.row)) +
              "</h3>\n" + page::table("losses by learning rate", head, rows);
      if (search.at_edge)
        html += "<p class=\"note\">The best rate is at the edge of its grid.</p>\n";
    }
  }
  if (html.empty()) return "";
  return "<p class=\"note\">Searched at one row of a block; all rows of the block keep the rate "
         "that was taken.</p>\n" +
         html + from_line(data, "metrics.jsonl", "searches");
}

}  // namespace muonlab::study
