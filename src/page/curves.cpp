#include "muonlab/page/curves.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"

namespace muonlab::page {
namespace {

// A quoted JSON string; bytes that are no UTF-8 become U+FFFD.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Five digits are finer than a pixel, even zoomed; null for what is no number.
void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char text[32];
  std::snprintf(text, sizeof(text), "%.5g", value);
  out += text;
}

template <class List, class Append>
std::string array(const List& list, Append&& append) {
  std::string out = "[";
  for (const auto& item : list) {
    if (out.size() > 1) out += ",";
    append(out, item);
  }
  return out + "]";
}

std::string numbers(const std::vector<double>& values) { return array(values, append_number); }

// Distinct lists of steps, each written once.
class Grids {
 public:
  size_t index(const std::vector<int64_t>& steps) {
    const auto [at, fresh] = known_.emplace(steps, known_.size());
    if (fresh)
      json_ += (json_.empty() ? "" : ",") +
               array(steps, [](std::string& out, int64_t step) { out += std::to_string(step); });
    return at->second;
  }
  std::string json() const { return "[" + json_ + "]"; }

 private:
  std::map<std::vector<int64_t>, size_t> known_;
  std::string json_;
};

std::string curve_json(const Curve& curve, Grids& grids) {
  base::check(curve.steps.size() == curve.values.size(), "a value a step");
  std::string out =
      base::str("{\"g\":", grids.index(curve.steps), ",\"y\":", numbers(curve.values));
  if (curve.seconds.size() == curve.steps.size() && !curve.seconds.empty())
    out += ",\"s\":" + numbers(curve.seconds);
  if (!curve.tokens.empty()) out += ",\"t\":" + numbers(curve.tokens);
  return out + "}";
}

std::string measure_json(const Measure& measure) {
  std::string out = base::str("{\"name\":", quoted(measure.name),
                              ",\"unit\":", quoted(measure.unit), ",\"of\":", quoted(measure.of));
  if (measure.range)
    out += base::str(",\"range\":[", measure.range->first, ",", measure.range->second, "]");
  return out + "}";
}

// Whether some label of a chart stands for several series.
bool repeats_labels(const CurveChart& chart) {
  std::vector<std::string> labels;
  for (const CurveSeries& series : chart.series) labels.push_back(series.label);
  std::sort(labels.begin(), labels.end());
  return std::adjacent_find(labels.begin(), labels.end()) != labels.end();
}

}  // namespace

Curve thinned(const Curve& curve, size_t most) {
  const size_t n = curve.steps.size(), buckets = most / 2;
  if (n <= most || buckets == 0) return curve;
  Curve out;
  const auto keep = [&](size_t place, size_t value) {
    out.steps.push_back(curve.steps[place]);
    out.values.push_back(curve.values[value]);
    if (curve.seconds.size() == n) out.seconds.push_back(curve.seconds[place]);
    if (curve.tokens.size() == n) out.tokens.push_back(curve.tokens[place]);
  };
  for (size_t b = 0; b < buckets; ++b) {
    const size_t first = b * n / buckets, end = (b + 1) * n / buckets;
    size_t low = first, high = first;
    for (size_t i = first; i < end; ++i) {
      if (curve.values[i] < curve.values[low] || std::isnan(curve.values[low])) low = i;
      if (curve.values[i] > curve.values[high] || std::isnan(curve.values[high])) high = i;
    }
    keep(first, std::min(low, high));
    keep(first + (end - first) / 2, std::max(low, high));
  }
  return out;
}

std::string panel_json(const CurvePanel& panel) {
  Grids grids;
  bool seeds = false;
  const std::string measures =
      array(panel.measures, [](std::string& out, const Measure& m) { out += measure_json(m); });
  const std::string charts = array(panel.charts, [&](std::string& out, const CurveChart& chart) {
    seeds = seeds || repeats_labels(chart);
    out += base::str("{\"title\":", quoted(chart.title), ",\"series\":",
                     array(chart.series,
                           [&](std::string& text, const CurveSeries& series) {
                             text += base::str(
                                 "{\"l\":", quoted(series.label), ",\"t\":", quoted(series.detail),
                                 ",\"c\":", series.colour, ",\"d\":", series.marker,
                                 ",\"k\":", series.tokens_per_step, ",\"m\":",
                                 array(series.measures,
                                       [&](std::string& list, const std::optional<Curve>& curve) {
                                         list += curve ? curve_json(*curve, grids) : "null";
                                       }),
                                 "}");
                           }),
                     "}");
  });
  return base::str("{\"measures\":", measures, ",\"axes\":[\"step\"",
                   panel.tokens ? ",\"tokens\"" : "", panel.time ? ",\"time\"" : "",
                   "],\"shared\":", panel.small, ",\"small\":", panel.small, ",\"seeds\":", seeds,
                   ",\"skip\":", panel.skip, ",\"grids\":", grids.json(), ",\"charts\":", charts,
                   "}");
}

}  // namespace muonlab::page
