// Curves in a terminal, drawn in braille: each character is 2 x 4 dots.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace muonlab::study {

struct Curve {
  std::string mark;                               // one character, written right of the curve's end
  std::vector<std::pair<double, double>> points;  // by x, all finite
};

// `width` x `height` characters with an axis of three values at the left, the largest x below and
// the marks at the right; empty for curves without two points. The y range is that of the points
// from a fifth of the x range on, so that a steep start does not flatten the rest; what lies above
// is cut off, which marks at the top edge and a line below the plot say.
std::string plot_curves(std::span<const Curve> curves, size_t width, size_t height,
                        const std::string& x_unit, bool colour);

}  // namespace muonlab::study
