// Summaries of a handful of numbers. An empty span gives NaN.
#pragma once

#include <span>

namespace muonlab::base {

double mean(std::span<const double> values);
// Of the sample (n - 1); NaN for fewer than two.
double standard_deviation(std::span<const double> values);
double standard_error(std::span<const double> values);  // of the mean
double median(std::span<const double> values);
// The p-quantile, 0 <= p <= 1, with linear interpolation between order statistics (Hyndman and
// Fan's type 7).
double quantile(std::span<const double> values, double p);

}  // namespace muonlab::base
