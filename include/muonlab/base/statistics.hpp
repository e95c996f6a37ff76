// Summaries and tests of a handful of numbers. An empty span gives NaN.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace muonlab::base {

double mean(std::span<const double> values);
// Of the sample (n - 1); NaN for fewer than two.
double standard_deviation(std::span<const double> values);
double standard_error(std::span<const double> values);  // of the mean
double median(std::span<const double> values);
// The p-quantile, 0 <= p <= 1, with linear interpolation between order statistics (Hyndman and
// Fan's type 7).
double quantile(std::span<const double> values, double p);
// The same of values in ascending order.
double quantile_of_sorted(std::span<const double> sorted, double p);

struct Interval {
  double low = -std::numeric_limits<double>::infinity(),
         high = std::numeric_limits<double>::infinity();
  bool bounded() const;  // both ends are finite
  bool holds(double value) const { return low <= value && value <= high; }
};
constexpr double kLevel = 0.95;  // of every interval, where nothing else is said

// Student's t interval of the mean; unbounded for fewer than two values.
Interval mean_interval(std::span<const double> values, double level = kLevel);

struct PairedTest {
  double difference;      // mean of first - second
  double standard_error;  // of that mean
  double t, p;            // two-sided, n - 1 degrees of freedom
};
// The paired t-test of equal means. Differences that are all equal give p = 0, or 1 where they are
// 0. Fewer than two pairs: all but the difference are NaN.
PairedTest paired_t_test(std::span<const double> first, std::span<const double> second);

// Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979): adjusted p-values in
// the order given, valid together whatever the dependence of the tests. None may be NaN.
std::vector<double> holm(std::span<const double> p_values);

}  // namespace muonlab::base
