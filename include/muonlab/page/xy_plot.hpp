// A plot of quantities against each other, with linear or logarithmic axes, drawn without a script:
// lines in an SVG that stretches, labels in HTML, so that text keeps its size on a phone.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muonlab::page {

struct XyAxis {
  std::string name{};
  bool log = false;                                  // values that are not positive are gaps
  std::optional<std::pair<double, double>> range{};  // else by the data
};

struct XySeries {
  std::string label;                  // an empty one is not in the key
  std::vector<double> x, y;           // of one length; NaN is a gap
  std::vector<double> low{}, high{};  // ends of the error bars, as many; empty: none
  int colour = 0;                     // of page.css; it chooses the dashes too
  int marker = 0;                     // 0 none, 1 circles, 2 squares
  bool line = true;                   // false: markers alone
  bool guide = false;                 // thin and grey: a law to compare with
};

struct XyPlot {
  std::string title;
  std::string note{};  // below the plot; text
  XyAxis x, y;
  std::vector<XySeries> series;
};

std::string xy_plot(const XyPlot& plot);
// Several beside each other where there is room.
std::string xy_plots(const std::vector<XyPlot>& plots);

}  // namespace muonlab::page
