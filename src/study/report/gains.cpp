// The gain of each row over the baseline: at every validation, and by the size of the model.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/xy_plot.hpp"
#include "sections.hpp"

namespace muonlab::study {
namespace {

size_t row_with(const ReportData& data, const std::string& label) {
  const auto found = std::find_if(data.rows.begin(), data.rows.end(),
                                  [&](const ReportRow& row) { return row.label == label; });
  return static_cast<size_t>(found - data.rows.begin());
}

// Validation losses of a block's row, by step and seed.
std::map<int64_t, std::map<int64_t, double>> losses_of(const ReportData& data, size_t block,
                                                       size_t row) {
  std::map<int64_t, std::map<int64_t, double>> losses;
  for (const size_t i : members(data, block, row)) {
    const record::RunRecord& record = data.runs[i].record;
    if (!record.finished()) continue;
    for (const record::Validation& v : record.validations)
      losses[v.step][record.config.seed] = v.loss;
  }
  return losses;
}

page::XySeries series_of(const ReportRow& row, std::string label) {
  return {.label = std::move(label),
          .x = {},
          .y = {},
          .colour = *row.colour,
          .marker = 1 + row.marker % 2};
}

void add_point(page::XySeries& series, double x, double y,
               const std::optional<base::Interval>& bar) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  series.x.push_back(x);
  series.y.push_back(y);
  series.low.push_back(bar ? bar->low : none);
  series.high.push_back(bar ? bar->high : none);
}

// Moves the series apart a little, so that error bars of one step or size do not hide each other.
void set_side_by_side(page::XyPlot& plot) {
  double least = std::numeric_limits<double>::infinity(), most = -least;
  const auto place = [&](double x) { return plot.x.log ? std::log(x) : x; };
  for (const page::XySeries& series : plot.series) {
    for (const double x : series.x) {
      least = std::min(least, place(x));
      most = std::max(most, place(x));
    }
  }
  const double middle = 0.5 * (static_cast<double>(plot.series.size()) - 1);
  for (size_t i = 0; i < plot.series.size(); ++i) {
    const double shift = 0.006 * (most - least) * (static_cast<double>(i) - middle);
    for (double& x : plot.series[i].x) x = plot.x.log ? x * std::exp(shift) : x + shift;
  }
}

// A point for each validation after step 0 that a row shares with the baseline, over their seeds.
page::XyPlot plot_by_length(const ReportData& data, size_t block) {
  const ReportBlock& own = data.blocks[block];
  const std::string& baseline = own.answer->row(own.answer->baseline).label;
  page::XyPlot plot{.title = own.title.empty() ? "At each validation" : own.title,
                    .x = {.name = "step"},
                    .y = {.name = "gain over " + baseline + ", nats a token"},
                    .series = {}};
  const auto base_losses = losses_of(data, block, row_with(data, baseline));
  for (const RowAnswer& answer : own.answer->rows) {
    const size_t row = row_with(data, answer.label);
    if (answer.name == own.answer->baseline || row == data.rows.size()) continue;
    page::XySeries series = series_of(data.rows[row], answer.label);
    for (const auto& [step, losses] : losses_of(data, block, row)) {
      const auto same = base_losses.find(step);
      if (step == 0 || same == base_losses.end()) continue;
      std::vector<double> gains;
      for (const auto& [seed, loss] : losses) {
        const auto other = same->second.find(seed);
        if (other != same->second.end()) gains.push_back(other->second - loss);
      }
      if (gains.empty()) continue;
      std::optional<base::Interval> bar;
      if (gains.size() > 1) bar = base::mean_interval(gains);
      add_point(series, static_cast<double>(step), base::mean(gains), bar);
    }
    if (!series.x.empty()) plot.series.push_back(std::move(series));
  }
  set_side_by_side(plot);
  return plot;
}

// Parameters of a block's runs; 0 where they differ.
int64_t size_of(const ReportData& data, size_t block) {
  std::set<int64_t> sizes;
  for (const ReportRun& run : data.runs) {
    if (run.block == block) sizes.insert(run.record.num_parameters);
  }
  return sizes.size() == 1 ? *sizes.begin() : 0;
}

// "shape width_64, protocol fair": its parts.
std::vector<std::string> parts_of(const ReportBlock& block) {
  std::vector<std::string> parts;
  for (const std::string& part : base::split(block.kind, ',')) parts.emplace_back(base::trim(part));
  return parts;
}

// A block's kind without those parts of it that stand for one size only ("shape width_64"): what
// blocks of several sizes have in common.
std::vector<std::string> kinds_over_sizes(const ReportData& data,
                                          const std::vector<int64_t>& sizes) {
  std::map<std::string, std::set<int64_t>> of_part;
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    for (const std::string& part : parts_of(data.blocks[block])) of_part[part].insert(sizes[block]);
  }
  std::vector<std::string> kinds;
  for (const ReportBlock& block : data.blocks) {
    std::vector<std::string> common;
    for (const std::string& part : parts_of(block)) {
      if (of_part[part].size() > 1) common.push_back(part);
    }
    kinds.push_back(base::join(common, ", "));
  }
  return kinds;
}

// One plot for each kind of block that comes in several sizes: the final gains.
std::vector<page::XyPlot> plots_by_size(const ReportData& data) {
  std::vector<int64_t> sizes;
  for (size_t block = 0; block < data.blocks.size(); ++block) sizes.push_back(size_of(data, block));
  const std::vector<std::string> kinds = kinds_over_sizes(data, sizes);
  std::map<std::string, std::map<size_t, std::map<int64_t, Estimate>>> gains;  // kind, row, size
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    const std::optional<AblationAnswer>& answer = data.blocks[block].answer;
    if (!answer || sizes[block] == 0) continue;
    for (const RowAnswer& row : answer->rows) {
      const size_t index = row_with(data, row.label);
      if (row.gain && row.name != answer->baseline && index < data.rows.size())
        gains[kinds[block]][index].try_emplace(sizes[block], *row.gain);
    }
  }
  std::vector<page::XyPlot> plots;
  for (const auto& [kind, rows] : gains) {
    page::XyPlot plot{.title = kind.empty() ? "By size" : "By size, " + kind,
                      .x = {.name = "parameters", .log = true},
                      .y = {.name = "final gain, nats a token"},
                      .series = {}};
    for (const auto& [row, by_size] : rows) {
      if (by_size.size() < 2) continue;
      page::XySeries series = series_of(data.rows[row], data.rows[row].label);
      for (const auto& [size, gain] : by_size)
        add_point(series, static_cast<double>(size), gain.value, gain.interval);
      plot.series.push_back(std::move(series));
    }
    if (plot.series.empty()) continue;
    set_side_by_side(plot);
    plots.push_back(std::move(plot));
  }
  return plots;
}

}  // namespace

std::string gains_html(const ReportData& data) {
  std::vector<page::XyPlot> plots;
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    if (!data.blocks[block].answer) continue;
    page::XyPlot plot = plot_by_length(data, block);
    const bool line = std::any_of(plot.series.begin(), plot.series.end(),
                                  [](const page::XySeries& s) { return s.x.size() > 1; });
    if (line) plots.push_back(std::move(plot));
  }
  for (page::XyPlot& plot : plots_by_size(data)) plots.push_back(std::move(plot));
  if (plots.empty()) return "";
  return "<p class=\"note\">The gain is the baseline's validation loss less the row's, seed by "
         "seed: "
         "means with 95 % intervals by Student's t. Gains at different steps are of the same "
         "runs. Points of one step or size are set side by side.</p>\n" +
         page::xy_plots(plots) +
         from_line(data, "metrics.jsonl", "runs[].validations, ablation[].rows");
}

}  // namespace muonlab::study
