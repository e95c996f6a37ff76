// How far the last measured step moved the rows of embedding and head, by how often their tokens
// occur.
#include <algorithm>
#include <cmath>
#include <map>

#include "muonlab/base/error.hpp"
#include "muonlab/page/xy_plot.hpp"
#include "sections.hpp"

namespace muonlab::study {
namespace {

// The means over a row's runs, by group of tokens.
struct RowMeans {
  std::map<int64_t, std::pair<double, int64_t>> sums;
  void add(int64_t group, double value) {
    if (!std::isfinite(value)) return;
    auto& [sum, count] = sums[group];
    sum += value;
    ++count;
  }
};

page::XyPlot plot_of(const ReportData& data, size_t block, const std::string& of,
                     const std::string& title, double TokenRowsPoint::*value) {
  page::XyPlot plot{.title = title,
                    .x = {.name = "occurrences of the token", .log = true},
                    .y = {.name = "RMS of the update", .log = true},
                    .series = {}};
  for (size_t row = 0; row < data.rows.size(); ++row) {
    RowMeans means;
    for (size_t i : members(data, block, row)) {
      const std::vector<TokenRowsPoint>& points = data.runs[i].token_rows;
      for (const TokenRowsPoint& point : points) {
        if (point.of == of && point.step == points.back().step && point.group > 0)
          means.add(point.group, point.*value);
      }
    }
    if (means.sums.empty()) continue;
    page::XySeries series{.label = data.rows[row].label,
                          .x = {},
                          .y = {},
                          .colour = *data.rows[row].colour,
                          .marker = 1 + data.rows[row].marker % 2};
    for (const auto& [group, sum] : means.sums) {
      series.x.push_back(std::exp2(static_cast<double>(group) - 0.5));  // the group's middle
      series.y.push_back(sum.first / static_cast<double>(sum.second));
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

}  // namespace

std::string token_rows_html(const ReportData& data) {
  std::vector<std::string> blocks;
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    std::vector<page::XyPlot> plots{
        plot_of(data, block, "embed", "Embedding", &TokenRowsPoint::update_rms),
        plot_of(data, block, "embed", "Embedding, tokens of the step", &TokenRowsPoint::in_step),
        plot_of(data, block, "head", "Head", &TokenRowsPoint::update_rms)};
    std::erase_if(plots, [](const page::XyPlot& plot) { return plot.series.empty(); });
    blocks.push_back(plots.empty() ? "" : page::xy_plots(plots));
  }
  const std::string html = by_block(data, blocks);
  if (html.empty()) return "";
  return "<p class=\"note\">Root mean square of what the last measured step added to the rows of "
         "embedding and head, by how often a token occurs in the counted text; means over seeds. "
         "In "
         "most steps the batch does not hold a rare token. Its embedding row is then moved by "
         "momentum alone.</p>\n" +
         html + from_line(data, "token_rows.jsonl", "runs[].token_rows");
}

}  // namespace muonlab::study
