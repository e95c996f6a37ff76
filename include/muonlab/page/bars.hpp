// Horizontal bars with intervals, one a row: label, drawing, figure. Drawn in SVG whose abscissae
// are percentages, so the text keeps its size on a phone.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muonlab::page {

struct Bar {
  std::string label;
  int colour = 0, dash = 0;
  std::optional<double> value{};  // none: no bar, only the text
  std::optional<std::pair<double, double>> interval{};
  std::optional<double> mark{};  // a value to compare with, as a diamond
  std::string text{};            // the figure at the right, HTML
};

struct BarChart {
  std::vector<Bar> bars;
  std::string unit{};       // after the axis's numbers: " %"
  std::string mark_name{};  // what the diamonds are
  std::string interval_name{};
};

// Intervals that reach far beyond the bars end at the edge.
std::string bar_chart(const BarChart& chart);

// A row's sign in tables: a small square in its colour, striped where its lines are dashed.
std::string swatch(int colour, int dash);

}  // namespace muonlab::page
