#include "rates.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "muonlab/base/text.hpp"

namespace muonlab::study {
namespace {

constexpr std::ptrdiff_t kMaxExtensions = 4;  // of a grid, at either end

// "adam.lr" of "optimizers.adam.lr".
std::string short_path(const std::string& path) {
  constexpr std::string_view kPrefix = "optimizers.";
  return path.starts_with(kPrefix) ? path.substr(kPrefix.size()) : path;
}

// Three significant digits keep the values readable, where that hardly changes the step.
double readable(double value, double edge) {
  constexpr double kTolerance = 0.1;
  const double rounded = std::stod(base::significant(value, 3));
  return std::abs(rounded - value) <= kTolerance * std::abs(value - edge) ? rounded : value;
}

// The value beyond an edge; absent where no number is left there.
std::optional<double> beyond(const std::vector<double>& grid, const std::vector<double>& original,
                             bool low) {
  const double edge = low ? grid.front() : grid.back();
  const double next = low ? edge / (original[1] / original[0])
                          : edge * (original.back() / original[original.size() - 2]);
  if (!std::isnormal(next) || next == edge) return std::nullopt;
  return readable(next, edge);
}

}  // namespace

config::Settings rate_settings(const std::vector<config::RateGrid>& grids,
                               const std::vector<double>& rates) {
  config::Settings settings;
  for (size_t i = 0; i < grids.size(); ++i) {
    for (const std::string& path : grids[i].paths)
      settings.push_back({path + "=" + base::exact(rates[i]), grids[i].where});
  }
  return settings;
}

std::string rate_suffix(const std::vector<config::RateGrid>& grids,
                        const std::vector<double>& rates) {
  std::string suffix;
  for (size_t i = 0; i < rates.size(); ++i)
    suffix += "-" + short_path(grids[i].paths.front()) + "_" + base::exact(rates[i]);
  return suffix;
}

std::vector<std::vector<double>> grid_points(const std::vector<config::RateGrid>& grids) {
  std::vector<std::vector<double>> points{{}};
  for (const config::RateGrid& grid : grids) {
    std::vector<std::vector<double>> longer;
    for (const std::vector<double>& point : points) {
      for (const double value : grid.grid) {
        longer.push_back(point);
        longer.back().push_back(value);
      }
    }
    points = std::move(longer);
  }
  return points;
}

std::vector<double> start_of(const std::vector<config::RateGrid>& grids) {
  std::vector<double> rates;
  for (const config::RateGrid& rate : grids) rates.push_back(rate.grid[rate.start]);
  return rates;
}

bool is_at_edge(const config::RateGrid& rate, double value) {
  return (value == rate.grid.front() && value > 0) || value == rate.grid.back();
}

std::optional<double> extend_grid(config::RateGrid& rate, const std::vector<double>& original,
                                  bool low) {
  std::vector<double>& grid = rate.grid;
  const auto added = std::count_if(grid.begin(), grid.end(), [&](double v) {
    return low ? v < original.front() : v > original.back();
  });
  if (!rate.extends || added >= kMaxExtensions) return std::nullopt;
  const std::optional<double> next = beyond(grid, original, low);
  if (next) grid.insert(low ? grid.begin() : grid.end(), *next);
  return next;
}

}  // namespace muonlab::study
