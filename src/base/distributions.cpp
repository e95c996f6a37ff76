#include "muonlab/base/distributions.hpp"

#include <cmath>
#include <initializer_list>
#include <limits>

namespace muonlab::base {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The regularized incomplete beta function I_x(a, b) for x below (a + 1) / (a + b + 2), where the
// continued fraction converges fast (Abramowitz and Stegun 26.5.8, evaluated from the front by the
// modified Lentz method).
double beta_by_fraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1.0;
  double d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
  double fraction = d;
  for (int m = 1; m < 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double change = 1.0;
    for (const double term : {even, odd}) {
      d = 1.0 / away_from_zero(1.0 + term * d);
      c = away_from_zero(1.0 + term / c);
      change = c * d;
      fraction *= change;
    }
    if (std::abs(change - 1.0) < 1e-16) break;
  }
  const double log_front = std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) +
                           b * std::log1p(-x) - std::log(a);
  return std::exp(log_front) * fraction;
}

// I_x(a, b) with y = 1 - x given apart, so that neither loses digits near 0.
double incomplete_beta(double x, double y, double a, double b) {
  if (x <= 0.0) return 0.0;
  if (y <= 0.0) return 1.0;
  return x < (a + 1.0) / (a + b + 2.0) ? beta_by_fraction(x, a, b)
                                       : 1.0 - beta_by_fraction(y, b, a);
}

// The root of a function that falls from above the target to below it between low and high, 0 <=
// low.
template <class Function>
double falling_root(const Function& function, double target, double low, double high) {
  for (int i = 0; i < 200; ++i) {
    const double middle = 0.5 * (low + high);
    if (middle <= low || middle >= high) break;
    (function(middle) > target ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

// The z >= 0 or t >= 0 at which an upper tail, 0.5 at 0, is `tail`.
template <class Function>
double upper_quantile(const Function& upper_tail, double tail) {
  double high = 1.0;
  while (upper_tail(high) > tail) high *= 2.0;
  return falling_root(upper_tail, tail, high == 1.0 ? 0.0 : high / 2.0, high);
}

// Both distributions are symmetric about 0: the quantile comes from the smaller tail.
template <class Function>
double symmetric_quantile(const Function& upper_tail, double p) {
  if (!(p > 0.0 && p < 1.0)) return kNaN;
  if (p == 0.5) return 0.0;
  return p < 0.5 ? -upper_quantile(upper_tail, p) : upper_quantile(upper_tail, 1.0 - p);
}

}  // namespace

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

double normal_quantile(double p) {
  return symmetric_quantile([](double z) { return normal_cdf(-z); }, p);
}

double student_t_two_sided_p(double t, double df) {
  if (!(df > 0.0) || std::isnan(t)) return kNaN;
  if (std::isinf(t)) return 0.0;
  const double square = t * t;
  return incomplete_beta(df / (df + square), square / (df + square), 0.5 * df, 0.5);
}

double student_t_cdf(double t, double df) {
  const double tail = 0.5 * student_t_two_sided_p(t, df);
  return t > 0.0 ? 1.0 - tail : tail;
}

double student_t_quantile(double p, double df) {
  if (!(df > 0.0)) return kNaN;
  return symmetric_quantile([df](double t) { return 0.5 * student_t_two_sided_p(t, df); }, p);
}

}  // namespace muonlab::base
