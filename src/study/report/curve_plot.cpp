#include "study/report/curve_plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "muonlab/base/text.hpp"

namespace muonlab::study {
namespace {

constexpr double kSettled = 0.2;  // share of the x range before which the y range is not asked
constexpr std::array<const char*, 6> kColours{"\x1b[34m", "\x1b[31m", "\x1b[32m",
                                              "\x1b[33m", "\x1b[35m", "\x1b[36m"};

constexpr const char* kCut = "▴";

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

class Canvas {
 public:
  Canvas(size_t width, size_t height) : width_(width), cells_(width * height) {}

  // Dots count from the top left.
  void dot(size_t x, size_t y, size_t owner) {
    // Unicode's numbering of the eight dots: left column 1 2 3 7, right column 4 5 6 8.
    constexpr std::array<std::array<uint8_t, 4>, 2> kBits{
        {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}}};
    Cell& cell = cells_[y / 4 * width_ + x / 2];
    cell.bits |= kBits[x % 2][y % 4];
    cell.owner = owner;
  }

  // A curve lies above the plot there.
  void cut(size_t x, size_t owner) {
    Cell& cell = cells_[x / 2];
    cell.cut = true;
    if (cell.bits == 0) cell.owner = owner;
  }

  std::string row(size_t y, bool colour) const {
    std::string text;
    for (size_t x = 0; x < width_; ++x) {
      const Cell& cell = cells_[y * width_ + x];
      if (cell.bits == 0 && !cell.cut) {
        text += ' ';
        continue;
      }
      // U+2800 + bits in UTF-8.
      const std::string braille{'\xE2', static_cast<char>(0xA0 | cell.bits >> 6),
                                static_cast<char>(0x80 | (cell.bits & 0x3F))};
      const std::string shown = cell.bits == 0 ? kCut : braille;
      text += colour ? kColours[cell.owner % kColours.size()] + shown + "\x1b[0m" : shown;
    }
    return text;
  }

 private:
  struct Cell {
    uint8_t bits = 0;
    bool cut = false;
    size_t owner = 0;
  };
  size_t width_;
  std::vector<Cell> cells_;
};

// The curve's y at x, by straight lines; x lies between its ends.
double value_at(const Curve& curve, double x) {
  auto right =
      std::lower_bound(curve.points.begin(), curve.points.end(), x,
                       [](const auto& point, double value) { return point.first < value; });
  if (right == curve.points.begin()) return right->second;
  if (right == curve.points.end()) return curve.points.back().second;
  const auto left = right - 1;
  return left->second +
         (right->second - left->second) * (x - left->first) / (right->first - left->first);
}

}  // namespace

std::string plot_curves(std::span<const Curve> curves, size_t width, size_t height,
                        const std::string& x_unit, bool colour) {
  Range x_range{.low = 0.0};
  bool drawable = false;
  for (const Curve& curve : curves) {
    drawable |= curve.points.size() > 1;
    for (const auto& [x, y] : curve.points) x_range.add(x);
  }
  if (!drawable || x_range.high <= 0.0) return "";
  Range y_range;
  for (const Curve& curve : curves) {
    if (curve.points.empty()) continue;
    y_range.add(curve.points.back().second);
    const double start = std::max(curve.points.front().first, kSettled * x_range.high);
    if (start <= curve.points.back().first) y_range.add(value_at(curve, start));
    for (const auto& [x, y] : curve.points) {
      if (x >= start) y_range.add(y);
    }
  }
  if (y_range.high <= y_range.low) y_range.high = y_range.low + 1e-6 + 1e-3 * std::abs(y_range.low);

  Canvas canvas(width, height);
  double greatest_cut = -std::numeric_limits<double>::infinity();
  std::vector<std::string> marks(height);
  const auto columns = static_cast<double>(2 * width - 1),
             rows = static_cast<double>(4 * height - 1);
  const auto row_of = [&](double y) {
    return std::round((y_range.high - y) / (y_range.high - y_range.low) * rows);
  };
  for (size_t i = 0; i < curves.size(); ++i) {
    const Curve& curve = curves[i];
    if (curve.points.empty()) continue;
    double previous = -1.0;
    for (size_t column = 0; column < 2 * width; ++column) {
      const double x = x_range.high * static_cast<double>(column) / columns;
      if (x < curve.points.front().first || x > curve.points.back().first) continue;
      const double row = row_of(value_at(curve, x));
      if (row < 0.0) {
        canvas.cut(column, i);
        greatest_cut = std::max(greatest_cut, value_at(curve, x));
        previous = -1.0;
        continue;
      }
      // Steep parts are filled from the row before.
      const double from = previous < 0.0   ? row
                          : row > previous ? previous + 1
                          : row < previous ? previous - 1
                                           : row;
      for (double r = std::min(from, row); r <= std::max(from, row); ++r)
        canvas.dot(column, static_cast<size_t>(r), i);
      previous = row;
    }
    const double end = std::max(0.0, row_of(curve.points.back().second));
    std::string& mark = marks[static_cast<size_t>(end) / 4];
    mark += " " + (colour ? kColours[i % kColours.size()] + curve.mark + "\x1b[0m" : curve.mark);
  }

  size_t label_width = 0;
  std::vector<std::string> labels(height);
  for (const size_t row : {size_t{0}, height / 2, height - 1}) {
    const double share =
        height > 1 ? static_cast<double>(row) / static_cast<double>(height - 1) : 0.0;
    labels[row] = base::fixed(y_range.high - share * (y_range.high - y_range.low), 3);
    label_width = std::max(label_width, labels[row].size());
  }
  std::string text;
  for (size_t row = 0; row < height; ++row) {
    std::string line =
        base::pad_left(labels[row], label_width) + (labels[row].empty() ? " │" : " ┤");
    line += canvas.row(row, colour) + marks[row];
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  const std::string end = base::with_commas(std::llround(x_range.high)) + " " + x_unit;
  text += std::string(label_width + 1, ' ') + "└0" +
          base::pad_left(end, width > 1 ? width - 1 : 0) + "\n";
  if (std::isfinite(greatest_cut)) {
    text += std::string(label_width + 1, ' ') + kCut + " cut off: up to " +
            base::fixed(greatest_cut, 3) + "\n";
  }
  return text;
}

}  // namespace muonlab::study
