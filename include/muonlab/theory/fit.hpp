// Straight lines through points, for exponents.
#pragma once

#include <span>

#include "muonlab/base/statistics.hpp"

namespace muonlab::theory {

struct Fit {
  double slope, intercept;
  // 95 %, from the scatter around the line; unbounded for fewer than three points.
  base::Interval slope_interval;
  double at(double x) const { return intercept + slope * x; }
};

// Least squares of y over x. Fewer than two distinct x give NaN.
Fit fit_line(std::span<const double> x, std::span<const double> y);
// log y over log x: the slope is an exponent. All values must be positive.
Fit fit_power(std::span<const double> x, std::span<const double> y);
// log y over x: the slope is a rate.
Fit fit_exponential(std::span<const double> x, std::span<const double> y);

}  // namespace muonlab::theory
