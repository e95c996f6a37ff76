#include "muonlab/page/colour.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "muonlab/base/error.hpp"

namespace muonlab::page {
namespace {

// From the panels' ground (a share of 0) to a strong blue (a share of 1).
struct Ramp {
  std::string_view none, all;
};
constexpr Ramp kLight{"#f3f3f0", "#00558a"}, kDark{"#1e2125", "#6cc4fa"};

// Relative luminance (WCAG 2).
double luminance(const Rgb& colour) {
  std::array<double, 3> linear{};
  for (size_t i = 0; i < 3; ++i) {
    const double c = colour.channels[i];
    linear[i] = c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  }
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

}  // namespace

std::string Rgb::css() const {
  char text[8];
  std::snprintf(text, sizeof text, "#%02x%02x%02x",
                static_cast<unsigned>(std::lround(255 * channels[0])),
                static_cast<unsigned>(std::lround(255 * channels[1])),
                static_cast<unsigned>(std::lround(255 * channels[2])));
  return text;
}

Rgb parse_colour(std::string_view css) {
  base::check(css.size() == 7 && css[0] == '#', "a colour like #0072b2");
  Rgb colour{};
  for (size_t i = 0; i < 3; ++i) {
    int value = 0;
    const char* first = css.data() + 1 + 2 * i;
    const auto [end, fault] = std::from_chars(first, first + 2, value, 16);
    base::check(fault == std::errc() && end == first + 2, "a colour of hexadecimal digits");
    colour.channels[i] = value / 255.0;
  }
  return colour;
}

Rgb mixed(const Rgb& from, const Rgb& to, double share) {
  Rgb colour{};
  for (size_t i = 0; i < 3; ++i)
    colour.channels[i] = from.channels[i] + share * (to.channels[i] - from.channels[i]);
  return parse_colour(colour.css());  // as the browser gets it: eight bits a channel
}

double contrast(const Rgb& a, const Rgb& b) {
  const double one = luminance(a) + 0.05, other = luminance(b) + 0.05;
  return std::max(one, other) / std::min(one, other);
}

CellColours heat_colours(double share, bool dark) {
  const Ramp& ramp = dark ? kDark : kLight;
  const Rgb ground =
      mixed(parse_colour(ramp.none), parse_colour(ramp.all), std::clamp(share, 0.0, 1.0));
  const Rgb black = parse_colour("#000000"), white = parse_colour("#ffffff");
  return {ground, contrast(ground, black) >= contrast(ground, white) ? black : white};
}

}  // namespace muonlab::page
