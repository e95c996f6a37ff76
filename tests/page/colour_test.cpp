// Every colour that the page uses is measured against the ground that it lies on.
#include "muonlab/page/colour.hpp"

#include <map>
#include <regex>

#include <gtest/gtest.h>

#include "muonlab/page/html.hpp"
#include "muonlab/page/line_style.hpp"
#include "page/assets.hpp"

namespace muonlab::page {
namespace {

constexpr double kText = 4.5, kGraphics = 3;  // WCAG 2, AA

// "--ink: light-dark(#1b1d20, #e6e6e3);" of page.css, by name.
std::map<std::string, Rgb> palette(bool dark) {
  std::map<std::string, Rgb> colours;
  const std::string css(asset::page_css);
  const std::regex pattern("--(\\w+): light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)");
  for (std::sregex_iterator at(css.begin(), css.end(), pattern), end; at != end; ++at)
    colours[(*at)[1]] = parse_colour((*at)[dark ? 3 : 2].str());
  return colours;
}

TEST(Colour, ContrastIsThatOfTheStandard) {
  EXPECT_NEAR(contrast(parse_colour("#000000"), parse_colour("#ffffff")), 21, 1e-9);
  EXPECT_NEAR(contrast(parse_colour("#777777"), parse_colour("#ffffff")), 4.48, 0.005);
  EXPECT_EQ(mixed(parse_colour("#000000"), parse_colour("#ffffff"), 0.2).css(), "#333333");
}

TEST(Colour, TextCanBeReadOnEveryGround) {
  for (const bool dark : {false, true}) {
    const std::map<std::string, Rgb> colours = palette(dark);
    for (const char* text : {"ink", "muted", "c1"}) {  // c1 is a link's colour too
      for (const char* ground : {"bg", "panel"})
        EXPECT_GE(contrast(colours.at(text), colours.at(ground)), kText)
            << text << " on " << ground;
    }
    for (int i = 0; i < kNumColours; ++i) {  // the assignment's cells
      const Rgb ground = mixed(colours.at("bg"), colours.at("c" + std::to_string(i)), 0.18);
      EXPECT_GE(contrast(colours.at("ink"), ground), kText) << i;
    }
  }
}

TEST(Colour, LinesAndBarsStandOut) {
  for (const bool dark : {false, true}) {
    const std::map<std::string, Rgb> colours = palette(dark);
    for (int i = 0; i < kNumColours; ++i) {
      const Rgb& line = colours.at("c" + std::to_string(i));
      EXPECT_GE(contrast(line, colours.at("bg")), kGraphics) << i << " dark " << dark;
      EXPECT_GE(contrast(line, colours.at("panel")), kGraphics) << i << " dark " << dark;
    }
  }
}

TEST(Colour, EveryCellOfAHeatMapCanBeRead) {
  for (const bool dark : {false, true}) {
    for (int i = 0; i <= 1000; ++i) {
      const CellColours cell = heat_colours(i / 1000.0, dark);
      EXPECT_GE(contrast(cell.text, cell.ground), kText) << i << " dark " << dark;
    }
  }
  EXPECT_EQ(heat_colours(-1, false).ground.css(), heat_colours(0, false).ground.css());
}

TEST(LineStyle, NoTwoLinesDifferByColourAlone) {
  std::map<std::string, int> signs;
  for (int colour = 0; colour < kNumColours; ++colour) {
    for (int marker = 0; marker < kNumMarkers; ++marker) {
      const std::string sample = line_sample(colour, marker);
      EXPECT_NE(sample.find("var(--c" + std::to_string(colour)), std::string::npos);
      ++signs[std::regex_replace(sample, std::regex("var\\(--c\\d\\)"), "colour")];
    }
  }
  EXPECT_EQ(signs.size(), static_cast<size_t>(kNumColours * kNumMarkers));
}

}  // namespace
}  // namespace muonlab::page
