#include "muonlab/theory/fit.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "muonlab/base/distributions.hpp"
#include "muonlab/base/error.hpp"

namespace muonlab::theory {
namespace {

std::vector<double> logs(std::span<const double> values) {
  std::vector<double> out;
  for (double value : values) out.push_back(std::log(value));
  return out;
}

}  // namespace

Fit fit_line(std::span<const double> x, std::span<const double> y) {
  base::check(x.size() == y.size(), "a line through pairs");
  const double n = static_cast<double>(x.size()), mean_x = base::mean(x), mean_y = base::mean(y);
  double xx = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  if (x.size() < 2 || xx == 0) return {kNone, kNone, {}};
  Fit fit{xy / xx, mean_y - xy / xx * mean_x, {}};
  if (x.size() < 3) return fit;
  double squares = 0;
  for (size_t i = 0; i < x.size(); ++i) squares += std::pow(y[i] - fit.at(x[i]), 2);
  const double error = std::sqrt(squares / (n - 2) / xx);
  const double reach = error * base::student_t_quantile(0.5 + base::kLevel / 2, n - 2);
  fit.slope_interval = {fit.slope - reach, fit.slope + reach};
  return fit;
}

Fit fit_power(std::span<const double> x, std::span<const double> y) {
  return fit_line(logs(x), logs(y));
}

Fit fit_exponential(std::span<const double> x, std::span<const double> y) {
  return fit_line(x, logs(y));
}

}  // namespace muonlab::theory
