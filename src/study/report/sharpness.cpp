// How sharp the loss is along the updates of each row, at equal loss.
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/page/xy_plot.hpp"
#include "sections.hpp"

namespace muonlab::study {
namespace {

// A series for each run, in the look of its row; the key names a row once.
template <class Value>
std::vector<page::XySeries> series_of(const ReportData& data, size_t block, Value&& value) {
  std::vector<page::XySeries> all;
  std::set<size_t> named;
  for (const ReportRun& run : data.runs) {
    if (run.block != block || run.sharpness.empty()) continue;
    const ReportRow& row = data.rows[run.row];
    page::XySeries series{.label = named.insert(run.row).second ? row.label : "",
                          .x = {},
                          .y = {},
                          .colour = *row.colour,
                          .marker = 1 + row.marker % 2};
    for (const SharpnessPoint& point : run.sharpness) {
      series.x.push_back(point.loss);
      series.y.push_back(value(point));
    }
    all.push_back(std::move(series));
  }
  return all;
}

}  // namespace

std::string sharpness_html(const ReportData& data) {
  const page::XyAxis loss{.name = "loss of the step's batch, nats"};
  std::vector<std::string> blocks;
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    const std::vector<page::XySeries> sharpness =
        series_of(data, block, [](const SharpnessPoint& p) { return p.nds; });
    if (sharpness.empty()) {
      blocks.emplace_back();
      continue;
    }
    const std::vector<page::XySeries> within =
        series_of(data, block, [](const SharpnessPoint& p) { return p.within / p.nds; });
    blocks.push_back(page::xy_plots({{.title = "Normalized directional sharpness",
                                      .x = loss,
                                      .y = {.name = "\u27e8Z, HZ\u27e9 / |Z|\u00b2", .log = true},
                                      .series = sharpness},
                                     {.title = "Share from within layers",
                                      .x = loss,
                                      .y = {.name = "share"},
                                      .series = within}}));
  }
  const std::string html = by_block(data, blocks);
  if (html.empty()) return "";
  return "<p class=\"note\">How much the loss curves along the update Z of a step, with the exact "
         "Hessian H of the step's batch. Compare rows at equal loss: a run moves from right to "
         "left. A longer step in the same direction has the same sharpness.</p>\n" +
         html + from_line(data, "sharpness.jsonl", "runs[].sharpness");
}

}  // namespace muonlab::study
