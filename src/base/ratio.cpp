#include "muonlab/base/ratio.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "muonlab/base/distributions.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/philox.hpp"

namespace muonlab::base {
namespace {

double t_of(double level, size_t n) {
  return student_t_quantile(0.5 + 0.5 * level, static_cast<double>(n - 1));
}

// Covariance of the two means.
double covariance(std::span<const double> a, std::span<const double> b) {
  const double mean_a = mean(a), mean_b = mean(b);
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
  const auto n = static_cast<double>(a.size());
  return sum / (n - 1.0) / n;
}

bool has_interval(std::span<const double> top, std::span<const double> bottom, double level) {
  check(top.size() == bottom.size(), "a ratio of unequal numbers of values");
  return top.size() >= 2 && !mean_interval(bottom, level).holds(0.0);
}

// Ratios of means of n pairs drawn with replacement, ascending.
std::vector<double> resampled_ratios(std::span<const double> top, std::span<const double> bottom,
                                     int resamples) {
  const Philox draws(0, Purpose::bootstrap);
  const uint64_t n = top.size();
  std::vector<double> ratios(static_cast<size_t>(resamples));
  for (size_t r = 0; r < ratios.size(); ++r) {
    double sum_top = 0.0, sum_bottom = 0.0;
    for (uint64_t i = 0; i < n; ++i) {
      const uint64_t drawn = draws.below(r * n + i, n);
      sum_top += top[drawn];
      sum_bottom += bottom[drawn];
    }
    ratios[r] = sum_top / sum_bottom;
  }
  std::sort(ratios.begin(), ratios.end());
  return ratios;
}

// A sixth of the skewness of the ratio's influence, from leaving out one pair at a time.
double acceleration(std::span<const double> top, std::span<const double> bottom) {
  const auto n = static_cast<double>(top.size());
  const double sum_top = n * mean(top), sum_bottom = n * mean(bottom);
  std::vector<double> left(top.size());
  for (size_t i = 0; i < top.size(); ++i) left[i] = (sum_top - top[i]) / (sum_bottom - bottom[i]);
  const double centre = mean(left);
  double squares = 0.0, cubes = 0.0;
  for (const double value : left) {
    squares += (centre - value) * (centre - value);
    cubes += std::pow(centre - value, 3);
  }
  return squares > 0.0 ? cubes / (6.0 * std::pow(squares, 1.5)) : 0.0;
}

}  // namespace

// The ends solve (X - rY)^2 = t^2 var(X - rY), or A r^2 - 2 B r + C = 0, for the means X and Y. The
// discriminant is written out, since B^2 - A C itself loses its digits where the variances are
// small.
Interval fieller_interval(std::span<const double> top, std::span<const double> bottom,
                          double level) {
  if (!has_interval(top, bottom, level)) return {};
  const double x = mean(top), y = mean(bottom);
  const double t = t_of(level, top.size()), t2 = t * t;
  const double xx = covariance(top, top), xy = covariance(top, bottom),
               yy = covariance(bottom, bottom);
  const double a = y * y - t2 * yy, b = x * y - t2 * xy;
  const double discriminant = x * x * yy - 2.0 * x * y * xy + y * y * xx - t2 * (xx * yy - xy * xy);
  const double half = t * std::sqrt(std::max(0.0, discriminant)) / a;
  return {b / a - half, b / a + half};
}

Interval bootstrap_ratio_interval(std::span<const double> top, std::span<const double> bottom,
                                  double level, int resamples) {
  if (!has_interval(top, bottom, level)) return {};
  const std::vector<double> ratios = resampled_ratios(top, bottom, resamples);
  const auto count = static_cast<double>(resamples);
  const double value = mean(top) / mean(bottom);
  const auto [first, last] = std::equal_range(ratios.begin(), ratios.end(), value);
  const double below =
      0.5 * static_cast<double>((first - ratios.begin()) + (last - ratios.begin())) / count;
  const double bias =
      normal_quantile(std::clamp(below, 1.0 / (count + 1.0), count / (count + 1.0)));
  const double skew = acceleration(top, bottom);
  const auto n = static_cast<double>(top.size());
  const double reach = t_of(level, top.size()) * std::sqrt(n / (n - 1.0));
  const auto end = [&](double z) {
    const double shifted = bias + z, shrink = 1.0 - skew * shifted;
    const double p =
        shrink > 0.0 ? normal_cdf(bias + shifted / shrink) : (shifted > 0.0 ? 1.0 : 0.0);
    return quantile_of_sorted(ratios, p);
  };
  return {end(-reach), end(reach)};
}

}  // namespace muonlab::base
