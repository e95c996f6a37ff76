// The largest and the least of what an experiment measured.
#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <ranges>
#include <vector>

namespace muonlab::theory {

// NaN as long as nothing was added, and NaN from the first NaN on: a claim about the worst of
// several figures does not hold if none was measured or if one could not be. std::max would keep
// the other figure.
template <class Before>
class Extreme {
 public:
  void add(double value) {
    if (!kept_ || std::isnan(value) || (!std::isnan(*kept_) && Before{}(value, *kept_)))
      kept_ = value;
  }
  double value() const { return kept_.value_or(std::numeric_limits<double>::quiet_NaN()); }

 private:
  std::optional<double> kept_;
};
using Largest = Extreme<std::greater<>>;
using Least = Extreme<std::less<>>;

template <std::ranges::input_range Values>
double largest_of(const Values& values) {
  Largest found;
  for (const double value : values) found.add(value);
  return found.value();
}
template <std::ranges::input_range Values>
double least_of(const Values& values) {
  Least found;
  for (const double value : values) found.add(value);
  return found.value();
}

// The value whose figure is farthest from what a theory predicts, by the same rule. Not for none.
template <class Value, class Figure = std::identity>
const Value& farthest_of(const std::vector<Value>& values, double theory, Figure figure = {}) {
  const Value* kept = &values.front();
  const auto distance = [&](const Value& value) {
    return std::abs(std::invoke(figure, value) - theory);
  };
  for (const Value& value : values) {
    if (std::isnan(distance(value)) || distance(value) > distance(*kept)) kept = &value;
  }
  return *kept;
}

}  // namespace muonlab::theory
