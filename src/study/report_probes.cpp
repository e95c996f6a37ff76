// Spectra over time by role, and the accuracy on frequent and rare facts.
#include <algorithm>
#include <cmath>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/curves.hpp"
#include "muonlab/page/heat_map.hpp"
#include "muonlab/page/html.hpp"
#include "report_sections.hpp"

namespace muonlab::study {
namespace {

using base::str;
using page::escape;

struct SpectralMeasure {
  const char *key, *name, *unit;
};
constexpr SpectralMeasure kSpectral[] = {
    {"entropy", "normalized entropy of the spectrum", ""},
    {"effective_rank", "effective rank", ""},
    {"effective_rank_plain", "effective rank of the plain values", ""},
    {"stable_rank", "stable rank", ""},
    {"nuclear_rank", "nuclear rank", ""},
    {"top10_energy", "share of the energy in the ten greatest values", ""},
    {"q75_q25", "ratio of the quartiles of the energy", ""},
    {"condition", "condition number", ""},
    {"rms", "RMS of the elements", ""},
    {"ratio", "RMS of the update / RMS of the weight", ""},
    {"angle_deg", "angle to the weight", "degrees"},
};
constexpr const char* kOf[] = {"weight", "gradient", "momentum", "update"};
constexpr const char* kRoles[] = {"q", "k", "v", "o", "ov", "ffn_in", "ffn_gate", "ffn_out", "embed", "head"};

std::string role_title(const std::string& role) { return role == "ov" ? "O·V of each head" : role; }

page::Curve as_curve(const std::vector<int64_t>& steps, const std::vector<double>& values) {
  return {steps, values, {}};
}

bool any_trace(const ReportData& data, const std::string& of, const std::string& measure, const std::string& role) {
  return std::any_of(data.runs.begin(), data.runs.end(),
                     [&](const ReportRun& run) { return run.spectra.contains({of, measure, role}); });
}

bool any_role(const ReportData& data, const std::string& role) {
  return std::any_of(data.runs.begin(), data.runs.end(), [&](const ReportRun& run) {
    return std::any_of(run.spectra.begin(), run.spectra.end(),
                       [&](const auto& entry) { return entry.first.role == role; });
  });
}

page::CurveSeries series_of(const ReportData& data, const ReportRun& run) {
  const ReportRow& row = data.rows[run.row];
  const std::string label = row.label + (data.blocks[run.block].empty() ? "" : " · " + data.blocks[run.block]);
  return {label,      run_detail(run),
          row.colour, run.block == 0 ? row.dash : static_cast<int>((row.dash + run.block) % 4),
          0,          {}};
}

std::string logits_html(const ReportData& data, page::Document& document) {
  if (!any_trace(data, "attention", "max_logit", "attention")) return "";
  page::CurvePanel panel{.measures = {{"greatest attention logit of any layer"}}, .charts = {{}}};
  for (const ReportRun& run : data.runs) {
    const auto trace = run.spectra.find({"attention", "max_logit", "attention"});
    if (trace == run.spectra.end()) continue;
    panel.charts[0].series.push_back(series_of(data, run));
    panel.charts[0].series.back().measures = {as_curve(trace->second.steps, trace->second.values)};
  }
  return "<h3>Attention logits</h3>\n" + document.curves("logit-curves", panel);
}

}  // namespace

std::string spectra_html(const ReportData& data, page::Document& document) {
  page::CurvePanel panel{.measures = {}, .charts = {}, .small = true};
  std::vector<std::pair<std::string, std::string>> keys;
  for (const char* of : kOf) {
    for (const auto& [key, name, unit] : kSpectral) {
      const bool there = std::any_of(std::begin(kRoles), std::end(kRoles),
                                     [&](const char* role) { return any_trace(data, of, key, role); });
      if (!there) continue;
      panel.measures.push_back({.name = name, .unit = unit, .of = of});
      keys.emplace_back(of, key);
    }
  }
  const std::string logits = logits_html(data, document);
  if (keys.empty()) return logits;
  for (const std::string role : kRoles) {
    if (!any_role(data, role)) continue;
    page::CurveChart chart{.title = role_title(role), .series = {}};
    for (const ReportRun& run : data.runs) {
      page::CurveSeries series = series_of(data, run);
      bool any = false;
      for (const auto& [of, key] : keys) {
        const auto trace = run.spectra.find({of, key, role});
        any = any || trace != run.spectra.end();
        series.measures.push_back(trace == run.spectra.end()
                                      ? std::nullopt
                                      : std::optional(as_curve(trace->second.steps, trace->second.values)));
      }
      if (any) chart.series.push_back(std::move(series));
    }
    panel.charts.push_back(std::move(chart));
  }
  return "<p class=\"note\">Singular values of the matrices, by role: means over layers (and seeds).</p>\n" +
         document.curves("spectra-curves", panel) + logits + from_line(data, "spectra.jsonl", "runs[].spectra");
}

namespace {

// Every group (or attribute) that some run was asked about.
template <class Key>
std::set<Key> keys_of(const ReportData& data, std::map<Key, TailTrace> ReportRun::* traces) {
  std::set<Key> keys;
  for (const ReportRun& run : data.runs) {
    for (const auto& [key, trace] : run.*traces) keys.insert(key);
  }
  return keys;
}

// Mean over a row's runs of the last value of a trace.
template <class Key>
std::optional<double> last_mean(const ReportData& data, size_t block, size_t row,
                                std::map<Key, TailTrace> ReportRun::* traces, const Key& key) {
  std::vector<double> values;
  for (size_t i : members(data, block, row)) {
    const auto trace = (data.runs[i].*traces).find(key);
    if (trace != (data.runs[i].*traces).end() && !trace->second.first_token.empty())
      values.push_back(trace->second.first_token.back());
  }
  return values.empty() ? std::nullopt : std::optional(base::mean(values));
}

template <class Key, class Name>
std::string heat_html(const ReportData& data, std::map<Key, TailTrace> ReportRun::* traces, const std::string& corner,
                      Name&& name) {
  const std::set<Key> keys = keys_of(data, traces);
  if (keys.empty()) return "";
  std::string html;
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    page::HeatMap map{.corner = corner, .columns = {}, .rows = {}};
    for (const Key& key : keys) map.columns.push_back(name(key));
    for (size_t row = 0; row < data.rows.size(); ++row) {
      page::HeatMap::Row line{row_name(data.rows[row]), {}};
      for (const Key& key : keys) line.shares.push_back(last_mean(data, block, row, traces, key));
      if (std::any_of(line.shares.begin(), line.shares.end(), [](const auto& share) { return share.has_value(); }))
        map.rows.push_back(std::move(line));
    }
    if (map.rows.empty()) continue;
    if (!data.blocks[block].empty()) html += "<h3>" + escape(data.blocks[block]) + "</h3>\n";
    html += page::heat_map(map);
  }
  return html;
}

template <class Key, class Title>
page::CurvePanel tail_panel(const ReportData& data, std::map<Key, TailTrace> ReportRun::* traces, Title&& title) {
  page::CurvePanel panel{.measures = {{.name = "accuracy of the first token", .range = std::pair{-0.02, 1.02}},
                                      {.name = "accuracy of the whole answer", .range = std::pair{-0.02, 1.02}},
                                      {.name = "loss of the answer", .unit = "nats a token"}},
                         .charts = {},
                         .small = true};
  for (const Key& key : keys_of(data, traces)) {
    page::CurveChart chart{.title = title(key), .series = {}};
    for (const ReportRun& run : data.runs) {
      const auto found = (run.*traces).find(key);
      if (found == (run.*traces).end()) continue;
      const TailTrace& trace = found->second;
      chart.series.push_back(series_of(data, run));
      chart.series.back().measures = {as_curve(trace.steps, trace.first_token), as_curve(trace.steps, trace.exact),
                                      as_curve(trace.steps, trace.loss)};
    }
    panel.charts.push_back(std::move(chart));
  }
  return panel;
}

// How often a person of a group is asked about in the training text, where the corpus says it: 2^(m - group).
std::string group_name(const ReportData& data, int64_t group) {
  const auto* people = std::get_if<config::BiographiesConfig>(&data.runs[0].record.config.data);
  if (people == nullptr || people->uniform || group > people->m) return str("group ", group);
  return str("asked ", int64_t{1} << (people->m - group), "×");
}

}  // namespace

std::string tail_html(const ReportData& data, page::Document& document) {
  const auto group = [&](int64_t key) { return group_name(data, key); };
  const std::string groups = heat_html<int64_t>(data, &ReportRun::groups, "at the last probe", group);
  const std::string attributes = heat_html<std::string>(data, &ReportRun::attributes, "at the last probe",
                                                        [](const std::string& key) { return escape(key); });
  if (groups.empty() && attributes.empty()) return "";
  std::string html;
  if (!groups.empty()) {
    html +=
        "<p class=\"note\">Share of questions whose answer begins with the right token, by how often a person was "
        "asked about in training; means over seeds.</p>\n" +
        groups + document.curves("tail-curves", tail_panel<int64_t>(data, &ReportRun::groups, group));
  }
  if (!attributes.empty()) html += "<h3>By attribute</h3>\n" + attributes;
  return html + from_line(data, "tail.jsonl", "runs[].groups, runs[].attributes");
}

}  // namespace muonlab::study
