// Curves to zoom into, drawn by dygraphs: a panel of charts that share a choice of measure and of
// abscissa.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace muonlab::page {

// One measure of one run over its steps. seconds: training time at each step, empty where unknown.
// NaN is a gap.
struct Curve {
  std::vector<int64_t> steps;
  std::vector<double> values, seconds;
  std::vector<double> tokens{};  // where they are no multiple of the steps
};

// At most `most` points: where there are more, the least and the greatest of every bucket of steps,
// in the order in which they came, set at the bucket's first and middle step, so that curves over
// the same steps stay on the same steps and no spike is lost.
Curve thinned(const Curve& curve, size_t most);

struct CurveSeries {
  std::string label;     // series with one label are shown as their mean, or each by itself
  std::string detail{};  // what tells them apart: "seed 2"
  int colour = 0;        // of page.css
  int marker = 0;        // of line_style.hpp
  double tokens_per_step = 0;
  std::vector<std::optional<Curve>> measures{};  // as CurvePanel::measures
};

struct CurveChart {
  std::string title;
  std::vector<CurveSeries> series;
};

struct Measure {
  std::string name, unit{};
  std::string of{};                                  // heading of its group in the list of measures
  std::optional<std::pair<double, double>> range{};  // of the ordinate; else by the data
};

struct CurvePanel {
  std::vector<Measure> measures;
  std::vector<CurveChart> charts;
  bool tokens = false, time = false;  // abscissae besides steps
  bool small = false;                 // many little charts with one legend
  // the first part of a run that does not decide the ordinate's range
  double skip = 0;
};

// What page.js draws.
std::string panel_json(const CurvePanel& panel);

}  // namespace muonlab::page
