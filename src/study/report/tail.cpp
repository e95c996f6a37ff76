// The accuracy on frequent and rare facts.
#include <algorithm>
#include <cmath>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/curves.hpp"
#include "muonlab/page/heat_map.hpp"
#include "muonlab/page/html.hpp"
#include "sections.hpp"
#include "study/report/tail_answer.hpp"

namespace muonlab::study {
namespace {

using base::str;
template <class Key>
using Traces = std::map<Key, TailTrace> ReportRun::*;

// Every group (or attribute) that some run of the block was asked about.
template <class Key>
std::set<Key> keys_of(const ReportData& data, size_t block, Traces<Key> traces) {
  std::set<Key> keys;
  for (const ReportRun& run : data.runs) {
    if (run.block != block) continue;
    for (const auto& [key, trace] : run.*traces) keys.insert(key);
  }
  return keys;
}

// Mean over a row's runs of the last share of right first tokens.
template <class Key>
std::optional<double> last_mean(const ReportData& data, size_t block, size_t row,
                                Traces<Key> traces, const Key& key) {
  std::vector<double> values;
  for (size_t i : members(data, block, row)) {
    const auto trace = (data.runs[i].*traces).find(key);
    if (trace != (data.runs[i].*traces).end()) values.push_back(trace->second.first_token.back());
  }
  return values.empty() ? std::nullopt : std::optional(base::mean(values));
}

template <class Key, class Name>
std::string heat_html(const ReportData& data, size_t block, Traces<Key> traces, Name&& name,
                      const char* caption) {
  const std::set<Key> keys = keys_of(data, block, traces);
  page::HeatMap map{.caption = caption, .corner = "at the last probe", .columns = {}, .rows = {}};
  for (const Key& key : keys) map.columns.push_back(name(key));
  for (size_t row = 0; row < data.rows.size(); ++row) {
    page::HeatMap::Row line{row_name(data.rows[row]), {}};
    for (const Key& key : keys) line.shares.push_back(last_mean(data, block, row, traces, key));
    const bool any = std::any_of(line.shares.begin(), line.shares.end(),
                                 [](const auto& s) { return s.has_value(); });
    if (any) map.rows.push_back(std::move(line));
  }
  return map.rows.empty() ? "" : page::heat_map(map);
}

page::CurvePanel groups_panel(const ReportData& data, size_t block) {
  page::CurvePanel panel{
      .measures = {{.name = "accuracy of the first token", .range = std::pair{-0.02, 1.02}},
                   {.name = "accuracy of the whole answer", .range = std::pair{-0.02, 1.02}},
                   {.name = "loss of the answer", .unit = "nats a token"}},
      .charts = {},
      .small = true};
  for (int64_t group : keys_of(data, block, &ReportRun::groups)) {
    page::CurveChart chart{.title = group_name(data, block, group), .series = {}};
    for (const ReportRun& run : data.runs) {
      const auto found = run.groups.find(group);
      if (found == run.groups.end() || run.block != block) continue;
      const ReportRow& row = data.rows[run.row];
      const auto& [steps, first, exact, loss, questions] = found->second;
      chart.series.push_back({row.label,
                              run_detail(run),
                              *row.colour,
                              row.marker,
                              0,
                              {page::Curve{steps, first, {}}, page::Curve{steps, exact, {}},
                               page::Curve{steps, loss, {}}}});
    }
    if (!chart.series.empty()) panel.charts.push_back(std::move(chart));
  }
  return panel;
}

// "0.79 ± 0.01", and below it what is gained over the baseline.
std::string accuracy_and_gain(const RowAnswer& row) {
  if (!row.loss) return "–";
  if (!row.gain || !row.p_holm) return accuracy_text(row);
  return accuracy_text(row) + str("<br><small>", row.gain->value < 0 ? "−" : "+",
                                  base::fixed(std::abs(row.gain->value), 3), ", p ",
                                  p_value(*row.p_holm), "</small>");
}

std::string baseline_label(const ReportData& data) {
  for (const ReportBlock& block : data.blocks) {
    if (block.answer) return block.answer->row(block.answer->baseline).label;
  }
  return "";
}

// Groups down, rows of the ablation across.
std::string gains_html(const ReportData& data, size_t block) {
  const std::vector<GroupAnswer>& groups = data.blocks[block].groups;
  if (groups.empty()) return "";
  std::vector<page::TableCell> head{{"a person is"}};
  for (const RowAnswer& row : groups[0].answer.rows)
    head.push_back({page::escape(row.label), true});
  std::vector<std::vector<page::TableCell>> lines;
  for (const GroupAnswer& group : groups) {
    auto& line = lines.emplace_back(1, page::TableCell{group_name(data, block, group.group)});
    for (const RowAnswer& row : group.answer.rows) line.push_back({accuracy_and_gain(row), true});
  }
  return page::table("accuracy by how often a person is asked about, and by row", head, lines);
}

}  // namespace

std::string tail_html(const ReportData& data, page::Document& document) {
  const auto attribute = [](const std::string& key) { return page::escape(key); };
  std::vector<std::string> heat, gains, curves, attributes;
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    // Narrow columns: the rarest groups come last, and are what one looks for.
    const auto group = [&](int64_t key) {
      const std::optional<int64_t> times = times_asked(data, block, key);
      return times ? str(*times, "×") : group_name(data, block, key);
    };
    heat.push_back(heat_html<int64_t>(data, block, &ReportRun::groups, group,
                                      "accuracy by row and by how often a person was asked about"));
    gains.push_back(gains_html(data, block));
    attributes.push_back(heat_html<std::string>(data, block, &ReportRun::attributes, attribute,
                                                "accuracy by row and attribute"));
    const page::CurvePanel panel = groups_panel(data, block);
    curves.push_back(panel.charts.empty() ? "" : document.curves(str("groups-", block), panel));
  }
  const std::string groups_html = by_block(data, heat, true),
                    attributes_html = by_block(data, attributes, true);
  if (groups_html.empty() && attributes_html.empty()) return "";
  std::string html;
  if (!groups_html.empty()) {
    html +=
        "<p class=\"note\">Share of questions whose answer begins with the right token, by how "
        "often a person was "
        "asked about in training; means over seeds.</p>\n" +
        groups_html + "<h3>Over time</h3>\n" + by_block(data, curves);
  }
  if (const std::string gains_table = by_block(data, gains, true); !gains_table.empty()) {
    html +=
        "<h3>Seed by seed</h3>\n<p class=\"note\">Accuracy of the first token at the last probe of "
        "finished runs ± "
        "standard error over seeds. Small: gain over " +
        page::escape(baseline_label(data)) +
        " on the same seeds, and p of the paired t-test after Holm's correction over the rows of a "
        "group.</p>\n" +
        gains_table;
  }
  if (!attributes_html.empty()) html += "<h3>By attribute</h3>\n" + attributes_html;
  return html + from_line(data, "tail.jsonl", "runs[].groups, runs[].attributes");
}

}  // namespace muonlab::study
