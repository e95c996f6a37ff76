// A table of shares between 0 and 1 whose cells are the darker the greater, each with its figure.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace muonlab::page {

struct HeatMap {
  std::string caption;               // text, for a screen reader
  std::string corner;                // text over the rows' names
  std::vector<std::string> columns;  // HTML
  struct Row {
    std::string name;  // HTML
    std::vector<std::optional<double>> shares;
  };
  std::vector<Row> rows;
};

std::string heat_map(const HeatMap& map);

}  // namespace muonlab::page
