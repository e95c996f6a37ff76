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
  int colour = 0, marker = 0;
  std::optional<double> value{};  // none: no bar, only the text
  // Infinite ends run off the drawing.
  std::optional<std::pair<double, double>> interval{};
  std::optional<double> mark{};  // a value to compare with, as a diamond
  std::string text{};            // the figure at the right, HTML
};

struct BarChart {
  std::string name;  // what the bars are, for a screen reader
  std::vector<Bar> bars;
  std::string unit{};       // after the axis's numbers: " %"
  std::string mark_name{};  // what the diamonds are
  std::string interval_name{};
};

// An interval that reaches far beyond the bars ends at the edge in an arrow.
std::string bar_chart(const BarChart& chart);

}  // namespace muonlab::page
