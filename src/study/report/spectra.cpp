// Spectra over time by role, and the greatest attention logits.
#include <algorithm>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/page/curves.hpp"
#include "muonlab/page/html.hpp"
#include "sections.hpp"

namespace muonlab::study {
namespace {

using base::str;

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
constexpr const char* kRoles[] = {"q",      "k",        "v",       "o",     "ov",
                                  "ffn_in", "ffn_gate", "ffn_out", "embed", "head"};
const TraceKey kLogit{"attention", "max_logit", "attention"};

// The mean over a row's runs, over the steps that all of them have.
std::optional<page::Curve> mean_curve(const ReportData& data, const std::vector<size_t>& runs,
                                      const TraceKey& key) {
  std::map<int64_t, std::pair<double, size_t>> sums;
  size_t num_runs = 0;
  for (size_t i : runs) {
    const auto trace = data.runs[i].spectra.find(key);
    if (trace == data.runs[i].spectra.end()) continue;
    ++num_runs;
    for (size_t j = 0; j < trace->second.steps.size(); ++j) {
      auto& [sum, count] = sums[trace->second.steps[j]];
      sum += trace->second.values[j];
      ++count;
    }
  }
  page::Curve curve;
  for (const auto& [step, sum] : sums) {
    if (sum.second < num_runs) continue;
    curve.steps.push_back(step);
    curve.values.push_back(sum.first / static_cast<double>(num_runs));
  }
  if (curve.steps.empty()) return std::nullopt;
  return page::thinned(curve, 200);
}

bool any_run(const ReportData& data, const TraceKey& key) {
  return std::any_of(data.runs.begin(), data.runs.end(),
                     [&](const auto& run) { return run.spectra.contains(key); });
}

// The rows of a block over one role: a curve a measure.
page::CurveChart chart_of(const ReportData& data, size_t block, const std::string& title,
                          const std::vector<TraceKey>& keys) {
  page::CurveChart chart{.title = title, .series = {}};
  for (size_t row = 0; row < data.rows.size(); ++row) {
    page::CurveSeries series{.label = data.rows[row].label,
                             .colour = *data.rows[row].colour,
                             .marker = data.rows[row].marker};
    const std::vector<size_t> own = members(data, block, row);
    for (const TraceKey& key : keys) series.measures.push_back(mean_curve(data, own, key));
    const bool any = std::any_of(series.measures.begin(), series.measures.end(),
                                 [](const auto& c) { return c.has_value(); });
    if (any) chart.series.push_back(std::move(series));
  }
  return chart;
}

page::CurvePanel spectra_panel(const ReportData& data, size_t block) {
  page::CurvePanel panel{.measures = {}, .charts = {}, .small = true};
  std::vector<std::pair<std::string, std::string>> measures;
  for (const char* of : kOf) {
    for (const auto& [key, name, unit] : kSpectral) {
      if (std::none_of(std::begin(kRoles), std::end(kRoles), [&](const char* role) {
            return any_run(data, {of, key, role});
          })) {
        continue;
      }
      panel.measures.push_back({.name = name, .unit = unit, .of = of});
      measures.emplace_back(of, key);
    }
  }
  for (const std::string role : kRoles) {
    std::vector<TraceKey> keys;
    for (const auto& [of, measure] : measures) keys.push_back({of, measure, role});
    page::CurveChart chart = chart_of(data, block, role == "ov" ? "O V of each head" : role, keys);
    if (!chart.series.empty()) panel.charts.push_back(std::move(chart));
  }
  return panel;
}

}  // namespace

std::string spectra_html(const ReportData& data, page::Document& document) {
  std::vector<std::string> blocks;
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    std::string html;
    if (const page::CurvePanel panel = spectra_panel(data, block); !panel.charts.empty()) {
      html += document.curves(str("spectra-", block), panel);
    }
    page::CurvePanel logits{.measures = {{"greatest attention logit of any layer"}},
                            .charts = {chart_of(data, block, "", {kLogit})}};
    if (!logits.charts[0].series.empty())
      html += "<h3>Attention</h3>\n" + document.curves(str("logits-", block), logits);
    blocks.push_back(html);
  }
  const std::string html = by_block(data, blocks);
  if (html.empty()) return "";
  return "<p class=\"note\">Singular values of the matrices, by role: means over layers and "
         "seeds.</p>\n" +
         html + from_line(data, "spectra.jsonl", "runs[].spectra");
}

}  // namespace muonlab::study
