#include "muonlab/base/text_plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::base {
namespace {

constexpr size_t kDotsAcross = 2, kDotsDown = 4;  // of a Braille character
constexpr size_t kLabelWidth = 9;

// A Braille character has the code 0x2800 plus a bit for each of its dots.
std::string braille(uint8_t dots) {
  if (dots == 0) return " ";
  const unsigned code = 0x2800u + dots;
  return {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3f)),
          static_cast<char>(0x80 | (code & 0x3f))};
}

constexpr std::array<std::array<uint8_t, kDotsAcross>, kDotsDown> kDotBits{
    {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};

struct Range {
  double low = 0, high = 0;
  bool clipped = false;
  // 0 … count - 1 from low to high
  size_t place(double value, size_t count) const {
    const double share = high > low ? (value - low) / (high - low) : 0.5;
    return static_cast<size_t>(
        std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(count - 1)));
  }
};

std::string label_of(double value) {
  return std::abs(value) >= 1000 ? human_count(value) : significant(value, 4);
}

Range range_of(std::vector<double> values, bool may_clip) {
  std::sort(values.begin(), values.end());
  Range range{values.front(), values.back()};
  if (!may_clip || values.size() < 40) return range;
  const double usual = values[values.size() * 19 / 20];
  if (range.high - range.low > 3 * (usual - range.low) && usual > range.low)
    range = {range.low, usual, true};
  return range;
}

}  // namespace

std::string text_plot(const std::string& title, const std::vector<PlotSeries>& series,
                      PlotSize size) {
  std::vector<double> xs, ys;
  for (const PlotSeries& one : series) {
    for (const auto& [x, y] : one.points) {
      if (!std::isfinite(x) || !std::isfinite(y)) continue;
      xs.push_back(x);
      ys.push_back(y);
    }
  }
  if (xs.empty()) return "";
  const size_t columns = size.width > kLabelWidth + 8 ? size.width - kLabelWidth - 1 : 8;
  const size_t rows = std::max<size_t>(size.height > 2 ? size.height - 2 : 2, 2);
  const Range across = range_of(xs, false), down = range_of(ys, true);
  std::vector<std::vector<uint8_t>> dots(rows, std::vector<uint8_t>(columns, 0));
  std::vector<std::vector<bool>> rings(rows, std::vector<bool>(columns, false));
  for (const PlotSeries& one : series) {
    for (const auto& [x, y] : one.points) {
      if (!std::isfinite(x) || !std::isfinite(y)) continue;
      if (one.marks) {
        rings[rows - 1 - down.place(y, rows)][across.place(x, columns)] = true;
        continue;
      }
      const size_t column = across.place(x, columns * kDotsAcross);
      const size_t row = rows * kDotsDown - 1 - down.place(y, rows * kDotsDown);
      dots[row / kDotsDown][column / kDotsAcross] |=
          kDotBits[row % kDotsDown][column % kDotsAcross];
    }
  }
  std::string out = title + (down.clipped ? "  (larger values at the upper edge)" : "") + "\n";
  for (size_t row = 0; row < rows; ++row) {
    const bool labelled = row == 0 || row == rows - 1 || row == rows / 2;
    const double share = 1 - static_cast<double>(row) / static_cast<double>(rows - 1);
    out += pad_left(labelled ? label_of(down.low + share * (down.high - down.low)) : "",
                    kLabelWidth - 1);
    out += labelled ? " ┤" : " │";
    std::string line;
    for (size_t column = 0; column < columns; ++column)
      line += rings[row][column] ? "○" : braille(dots[row][column]);
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  const std::string low = significant(across.low, 6), high = significant(across.high, 6);
  out += std::string(kLabelWidth + 1, ' ') + low;
  if (columns > low.size() + high.size()) out += pad_left(high, columns - low.size());
  return out + "\n";
}

}  // namespace muonlab::base
