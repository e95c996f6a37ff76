// A statement that an experiment checks, with the figure it measured.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "muonlab/base/statistics.hpp"

namespace muonlab::theory {

// Whose statement it is: the paper's, or one that this project derived where the paper's own law or
// setting is not known.
enum class ClaimOwner { paper, ours };

struct Claim {
  std::string statement;  // a full sentence
  std::string source{};   // "theorem 5.3", "figure 4"
  ClaimOwner owner = ClaimOwner::paper;
  double measured = std::numeric_limits<double>::quiet_NaN();
  std::optional<double> predicted{};
  // Of what is measured; an unbounded end is an inequality. Fixed before the first run.
  base::Interval accepted{};
  std::optional<base::Interval> confidence{};  // 95 % interval of what is measured
  std::string note{};

  // What could not be measured (NaN) does not hold.
  bool holds() const { return accepted.holds(measured); }
};

inline base::Interval within(double value, double tolerance) {
  return {value - tolerance, value + tolerance};
}
// A share of the value: within_share(2, 0.05) is 1.9 to 2.1.
inline base::Interval within_share(double value, double share) {
  const double tolerance = std::abs(value) * share;
  return {value - tolerance, value + tolerance};
}
inline base::Interval at_least(double value) {
  return {value, std::numeric_limits<double>::infinity()};
}
inline base::Interval at_most(double value) {
  return {-std::numeric_limits<double>::infinity(), value};
}

// "1.9 to 2.1", "≥ 5".
std::string accepted_text(const base::Interval& accepted);
// Five significant digits: "0.26714", "1.3e-05".
std::string figure_text(double value);

}  // namespace muonlab::theory
