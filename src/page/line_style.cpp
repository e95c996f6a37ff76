#include "muonlab/page/line_style.hpp"

#include <array>

#include "muonlab/base/error.hpp"
#include "muonlab/page/html.hpp"

namespace muonlab::page {
namespace {

// As SVG's stroke-dasharray and, in brackets, as a list of JSON.
constexpr std::array<const char*, kNumColours> kPatterns{"",     "9,4", "2,3",         "9,3,2,3",
                                                         "16,5", "5,2", "9,3,2,3,2,3", "1,5"};

// Around the middle of a sample of 26 x 10 px.
constexpr std::array<const char*, kNumMarkers> kMarkers{
    "", "<circle cx=\"13\" cy=\"5\" r=\"3.5\" fill=\"",
    "<rect x=\"9.5\" y=\"1.5\" width=\"7\" height=\"7\" fill=\"",
    "<path d=\"M13 .5L17.5 8.5L8.5 8.5Z\" fill=\""};

}  // namespace

std::string line_sample(int index, int marker) {
  base::check(marker >= 0 && marker < kNumMarkers, "a marker of the page");
  const std::string stroke = colour(index), pattern = dash_pattern(index);
  std::string text = base::str(
      "<svg class=\"sample\" aria-hidden=\"true\"><line x1=\"0\" x2=\"26\" y1=\"5\" y2=\"5\" "
      "stroke=\"",
      stroke, "\" stroke-width=\"2.5\"",
      pattern.empty() ? "" : " stroke-dasharray=\"" + pattern + "\"", "/>");
  if (marker > 0) text += kMarkers[static_cast<size_t>(marker)] + stroke + "\"/>";
  return text + "</svg>";
}

std::string dash_pattern(int index) {
  base::check(index >= 0 && index < kNumColours, "a colour of the page");
  return kPatterns[static_cast<size_t>(index)];
}

std::string patterns_json() {
  std::string json;
  for (const char* pattern : kPatterns)
    json += base::str(json.empty() ? "[" : ",", "[", pattern, "]");
  return json + "]";
}

}  // namespace muonlab::page
