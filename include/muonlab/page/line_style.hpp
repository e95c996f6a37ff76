// How a row's line is known without its colour: by a pattern of dashes, one for each colour, and by
// a marker for each round of the colours.
#pragma once

#include <string>

namespace muonlab::page {

inline constexpr int kNumMarkers = 4;  // none, circle, square, triangle

// A short piece of the line, as in the keys of plots and in tables. It says nothing to a screen
// reader: the row's name stands beside it.
std::string line_sample(int colour, int marker);

// The dashes of a colour as SVG's stroke-dasharray; empty is a solid line.
std::string dash_pattern(int colour);

// The patterns by colour, as lengths in px of dashes and gaps: [[],[9,4],…]; [] is a solid line.
std::string patterns_json();

}  // namespace muonlab::page
