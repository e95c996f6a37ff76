// A small plot of curves for a terminal, in Braille characters.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace muonlab::base {

struct PlotSeries {
  std::vector<std::pair<double, double>> points;  // x, y, in the order of x
  bool marks = false;                             // a ring at each point instead of a line of dots
};

struct PlotSize {
  size_t width = 80, height = 10;  // characters, the axes included
};

// Axes from the smallest to the largest finite value of all series, a title line above. Points that
// are not finite are left out. Where most of a curve lies in a small part of its range, as after a
// first steep fall, the largest twentieth of the values may lie above the plot; they are drawn at
// its upper edge and the axis says so. Empty without a finite point.
std::string text_plot(const std::string& title, const std::vector<PlotSeries>& series,
                      PlotSize size);

}  // namespace muonlab::base
