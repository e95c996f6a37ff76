// Colours that are computed here rather than by the browser, so that their contrast is known.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace muonlab::page {

struct Rgb {
  std::array<double, 3> channels;  // sRGB, 0 to 1
  std::string css() const;         // "#0072b2"
};

Rgb parse_colour(std::string_view css);  // "#0072b2"; anything else is a Bug
// Of the way from one colour to the other, channel by channel.
Rgb mixed(const Rgb& from, const Rgb& to, double share);
// WCAG 2's contrast ratio, 1 to 21; text needs 4.5, the lines of a plot 3.
double contrast(const Rgb& a, const Rgb& b);

// A cell's ground and the colour of its text: black or white, whichever contrasts more (4.58 at
// least, on any ground).
struct CellColours {
  Rgb ground, text;
};
// Of a cell that shows a share of 0 to 1, on a light page or a dark one.
CellColours heat_colours(double share, bool dark);

}  // namespace muonlab::page
