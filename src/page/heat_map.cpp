#include "muonlab/page/heat_map.hpp"

#include <cmath>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/colour.hpp"
#include "muonlab/page/html.hpp"

namespace muonlab::page {
namespace {

std::string cell(const std::optional<double>& share) {
  if (!share || !std::isfinite(*share)) return "<td class=\"none\">–</td>";
  const CellColours light = heat_colours(*share, false), dark = heat_colours(*share, true);
  return base::str("<td style=\"background:light-dark(", light.ground.css(), ",", dark.ground.css(),
                   ");color:light-dark(", light.text.css(), ",", dark.text.css(), ")\">",
                   base::fixed(100 * *share, 1), " %</td>");
}

}  // namespace

std::string heat_map(const HeatMap& map) {
  std::string text =
      base::str("<div class=\"scroll\" tabindex=\"0\"><table class=\"heat\">\n",
                caption(map.caption), "<thead><tr><th scope=\"col\">", escape(map.corner), "</th>");
  for (const std::string& column : map.columns) text += "<th scope=\"col\">" + column + "</th>";
  text += "</tr></thead>\n<tbody>\n";
  for (const HeatMap::Row& row : map.rows) {
    base::check(row.shares.size() == map.columns.size(), "a share a column");
    text += "<tr><th scope=\"row\">" + row.name + "</th>";
    for (const auto& share : row.shares) text += cell(share);
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

}  // namespace muonlab::page
