// Learning rates of a search: their grids, the points of those, and how a grid grows at its edge.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "muonlab/config/sweep.hpp"

namespace muonlab::study {

// One rate a grid, as settings of all paths that share it.
config::Settings rate_settings(const std::vector<config::RateGrid>& grids,
                               const std::vector<double>& rates);
// "-adam.lr_0.002-muon.lr_0.02", for the name of a trial; differs where the rates differ.
std::string rate_suffix(const std::vector<config::RateGrid>& grids,
                        const std::vector<double>& rates);
// All combinations of the grids, the last one varying fastest.
std::vector<std::vector<double>> grid_points(const std::vector<config::RateGrid>& grids);
// Where coordinate steps start, and what stands in for rates that are not known yet.
std::vector<double> start_of(const std::vector<config::RateGrid>& grids);

// Whether a value is the first or last of its grid. Below 0 there is nothing, so it is no edge.
bool is_at_edge(const config::RateGrid& rate, double value);

// Adds a value beyond an edge of the grid, at the ratio of the two values there in the `original`
// grid. Absent where the grid may not grow, or has grown enough.
std::optional<double> extend_grid(config::RateGrid& rate, const std::vector<double>& original,
                                  bool low);

}  // namespace muonlab::study
