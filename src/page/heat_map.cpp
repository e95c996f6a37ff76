#include "muonlab/page/heat_map.hpp"

#include <algorithm>
#include <cmath>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"

namespace muonlab::page {
namespace {

constexpr double kStrong = 0.52;  // from here on the text takes the background's colour

std::string cell(const std::optional<double>& share) {
  if (!share || !std::isfinite(*share)) return "<td class=\"none\">–</td>";
  const double part = std::clamp(*share, 0.0, 1.0);
  return base::str("<td", part >= kStrong ? " class=\"strong\"" : "",
                   " style=\"--v:", base::fixed(part, 3), "\">", base::fixed(100 * *share, 1),
                   " %</td>");
}

}  // namespace

std::string heat_map(const HeatMap& map) {
  std::string text =
      "<div class=\"scroll\"><table class=\"heat\">\n<tr><th>" + escape(map.corner) + "</th>";
  for (const std::string& column : map.columns) text += "<th>" + column + "</th>";
  text += "</tr>\n";
  for (const HeatMap::Row& row : map.rows) {
    base::check(row.shares.size() == map.columns.size(), "a share a column");
    text += "<tr><th>" + row.name + "</th>";
    for (const auto& share : row.shares) text += cell(share);
    text += "</tr>\n";
  }
  return text + "</table></div>\n";
}

}  // namespace muonlab::page
