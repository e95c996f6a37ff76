// Loss curves, and how fast the runs went.
#include <algorithm>
#include <cmath>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/bars.hpp"
#include "muonlab/page/curves.hpp"
#include "muonlab/page/html.hpp"
#include "sections.hpp"

namespace muonlab::study {
namespace {

using base::str;
using page::Curve;

constexpr size_t kMostPoints = 1000;      // a curve, where few are drawn
constexpr size_t kFewestPoints = 200;     // a curve, where many are
constexpr size_t kPointsOfPage = 60'000;  // keeps a page of 40 runs well under 5 MB

// Seconds of training up to each of the steps (rising); empty without timing.
std::vector<double> seconds_at(const record::RunRecord& run, const std::vector<int64_t>& steps) {
  std::vector<double> seconds;
  if (run.timing.empty()) return seconds;
  double sum = 0;
  size_t next = 0;
  for (int64_t step : steps) {
    while (next < run.timing.size() && run.timing[next].step <= step)
      sum += run.timing[next++].seconds;
    seconds.push_back(sum);
  }
  return seconds;
}

// Tokens up to each of the steps (rising); empty where every step has as many.
std::vector<double> tokens_at(const record::RunRecord& run, const std::vector<int64_t>& steps) {
  const auto usual = [&](const record::TrainPoint& point) {
    return point.tokens == point.step * run.tokens_per_step;
  };
  if (std::all_of(run.train.begin(), run.train.end(), usual)) return {};
  std::vector<double> tokens;
  size_t next = 0;
  for (int64_t step : steps) {
    while (next < run.train.size() && run.train[next].step < step) ++next;
    const bool is_known = next < run.train.size() && run.train[next].step == step;
    tokens.push_back(is_known ? static_cast<double>(run.train[next].tokens)
                              : run.tokens_after(static_cast<double>(step)));
  }
  return tokens;
}

template <class Points, class Value>
std::optional<Curve> curve_of(const record::RunRecord& run, const Points& points, Value&& value,
                              size_t most) {
  if (points.empty()) return std::nullopt;
  Curve curve;
  for (const auto& point : points) {
    curve.steps.push_back(point.step);
    curve.values.push_back(value(point));
  }
  curve.seconds = seconds_at(run, curve.steps);
  curve.tokens = tokens_at(run, curve.steps);
  return page::thinned(curve, most);
}

// A chart holds runs whose losses are comparable.
std::string chart_title(const ReportData& data, size_t block, size_t group) {
  const std::string& title = data.blocks[block].title;
  if (data.num_groups == 1) return title;
  return title + (title.empty() ? "" : ", ") + group_title(group);
}

// The names of data.valid_sets in any of the runs.
std::set<std::string> all_valid_sets(const ReportData& data) {
  std::set<std::string> names;
  for (const ReportRun& run : data.runs) {
    for (const record::Validation& validation : run.record.validations) {
      for (const auto& [name, set] : validation.sets) names.insert(name);
    }
  }
  return names;
}

std::vector<record::Validation> validations_on(const record::RunRecord& run,
                                               const std::string& set) {
  std::vector<record::Validation> found;
  for (const record::Validation& validation : run.validations) {
    const auto on = validation.sets.find(set);
    if (on != validation.sets.end()) found.push_back(on->second);
  }
  return found;
}

page::CurveSeries loss_series(const ReportData& data, const ReportRun& run,
                              const std::set<std::string>& sets, size_t most) {
  using record::TrainPoint;
  using record::Validation;
  const ReportRow& row = data.rows[run.row];
  const record::RunRecord& record = run.record;
  page::CurveSeries series{row.label,
                           run_detail(run),
                           *row.colour,
                           row.marker,
                           static_cast<double>(record.tokens_per_step),
                           {}};
  series.measures = {
      curve_of(
          record, record.validations, [](const Validation& v) { return v.loss; }, most),
      curve_of(
          record, record.validations, [](const Validation& v) { return v.bits_per_byte; }, most),
      curve_of(
          record, record.train, [](const TrainPoint& p) { return p.loss; }, most),
      curve_of(
          record, record.train, [](const TrainPoint& p) { return p.grad_norm; }, most)};
  for (const std::string& set : sets) {
    series.measures.push_back(curve_of(
        record, validations_on(record, set), [](const Validation& v) { return v.loss; }, most));
  }
  return series;
}

}  // namespace

std::string loss_html(const ReportData& data, page::Document& document) {
  const bool any = std::any_of(data.runs.begin(), data.runs.end(), [](const ReportRun& run) {
    return !run.record.train.empty() || !run.record.validations.empty();
  });
  if (!any) return "";
  const size_t most = std::clamp(kPointsOfPage / data.runs.size(), kFewestPoints, kMostPoints);
  page::CurvePanel panel{.measures = {{"validation loss", "nats a token"},
                                      {"validation bits a byte"},
                                      {"training loss", "nats a token"},
                                      {"gradient norm"}},
                         .charts = {},
                         .tokens = true,
                         .time = true,
                         .skip = 0.2};
  const std::set<std::string> sets = all_valid_sets(data);
  for (const std::string& set : sets)
    panel.measures.push_back({"validation loss on " + set, "nats a token"});
  size_t longest = 0;
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    for (size_t group = 0; group < data.num_groups; ++group) {
      page::CurveChart chart{.title = chart_title(data, block, group), .series = {}};
      for (const ReportRun& run : data.runs) {
        if (run.block != block || run.group != group) continue;
        longest = std::max(longest, run.record.train.size());
        chart.series.push_back(loss_series(data, run, sets, most));
      }
      if (!chart.series.empty()) panel.charts.push_back(std::move(chart));
    }
  }
  std::string html = document.curves("loss-curves", panel);
  if (longest > most) {
    html += str("<p class=\"note\">Training curves of more than ", most,
                " steps show the least and the greatest value of every stretch of about ",
                (longest * 2 + most - 1) / most, " steps.</p>\n");
  }
  return html + from_line(data, "metrics.jsonl, timing.jsonl", "runs[].validations, runs[].train");
}

std::string throughput_html(const ReportData& data) {
  std::vector<std::string> blocks;
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    page::BarChart chart{.name = "tokens a second by row",
                         .bars = {},
                         .interval_name = "least and greatest of a row's runs"};
    for (size_t row = 0; row < data.rows.size(); ++row) {
      std::vector<double> rates, memory, seconds;
      for (size_t i : members(data, block, row)) {
        const double rate = tokens_per_second(data.runs[i].record);
        if (rate <= 0) continue;
        rates.push_back(rate);
        memory.push_back(peak_memory_mb(data.runs[i].record));
        seconds.push_back(data.runs[i].seconds);
      }
      if (rates.empty()) continue;
      const ReportRow& own = data.rows[row];
      page::Bar bar{.label = own.label,
                    .colour = *own.colour,
                    .marker = own.marker,
                    .value = base::mean(rates)};
      if (rates.size() > 1) bar.interval = {std::ranges::min(rates), std::ranges::max(rates)};
      bar.text = str(base::with_commas(std::llround(*bar.value)), " tok/s <small>",
                     base::human_bytes(static_cast<uint64_t>(base::mean(memory) * 1e6)), ", ",
                     base::human_duration(base::mean(seconds)), "</small>");
      chart.bars.push_back(std::move(bar));
    }
    blocks.push_back(chart.bars.empty() ? "" : page::bar_chart(chart));
  }
  const std::string bars = by_block(data, blocks, true);
  if (bars.empty()) return "";
  return "<p class=\"note\">Tokens a second (median over a run's steps, mean over runs); peak "
         "memory; training time of "
         "a "
         "run. They depend on the machine and on what else it did.</p>\n" +
         bars + from_line(data, "timing.jsonl", "runs[].tokens_per_s");
}

}  // namespace muonlab::study
