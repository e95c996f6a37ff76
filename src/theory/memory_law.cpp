#include "memory_law.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "memory_model.hpp"
#include "muonlab/base/error.hpp"

namespace muonlab::theory {
namespace {

constexpr int kHalvings = 200;  // more than doubles can tell apart

// Where an increasing condition turns true between low and high.
template <class Condition>
double first_true(double low, double high, Condition&& holds) {
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = 0.5 * (low + high);
    (holds(middle) ? high : low) = middle;
  }
  return high;
}

// Logits a unit of step at the key's own block (own) and at any other block (far), [object, key].
struct CoupledUnit {
  at::Tensor own, far;
};

const CoupledUnit& coupled_unit() {
  static const CoupledUnit unit = [] {
    const CoupledRotations r = coupled_rotations();
    const CoupledSign s = coupled_sign();
    return CoupledUnit{r.objects.t().mm(s.a + s.b).mm(r.keys), r.objects.t().mm(s.b).mm(r.keys)};
  }();
  return unit;
}

double mean_loss(double facts, double step) {
  double sum = 0;
  for (double p : coupled_sign_probability(facts, step)) sum -= std::log(p);
  return sum / 3;
}

}  // namespace

std::string_view rule_name(MemoryRule rule) {
  switch (rule) {
    case MemoryRule::gd: return "GD";
    case MemoryRule::sign: return "SignGD";
    case MemoryRule::muon: return "Muon";
  }
  throw base::Bug("a rule without a name");
}

TwoClassMatrix direction(const TwoClasses& classes, MemoryRule rule, const TwoClassMatrix& logits) {
  const TwoClassMatrix gradient = classes.gradient(logits);
  switch (rule) {
    case MemoryRule::gd: return gradient;
    case MemoryRule::sign: return sign_of(gradient);
    case MemoryRule::muon: return classes.polar(gradient);
  }
  throw base::Bug("a rule without a direction");
}

TwoClassMatrix one_step_logits(const TwoClasses& classes, MemoryRule rule) {
  return scaled(direction(classes, rule, {}), -1);
}

double step_for_loss(const TwoClasses& classes, const TwoClassMatrix& unit, double loss) {
  const double gap = std::min(unit.own[0] - unit.same[0], unit.own[1] - unit.same[1]);
  const double most = 700 / gap;  // beyond it a correct probability is 1 in doubles
  if (classes.loss(scaled(unit, most)) > loss || classes.loss({}) < loss)
    return std::numeric_limits<double>::quiet_NaN();
  return first_true(0, most, [&](double step) { return classes.loss(scaled(unit, step)) <= loss; });
}

std::array<double, 3> coupled_sign_probability(double facts, double step) {
  const CoupledUnit& unit = coupled_unit();
  std::array<double, 3> out{};
  for (int64_t c = 0; c < 3; ++c) {
    const double correct = unit.own[c][c].item<double>();
    double sum = 0;  // of exp(logit - the correct one)
    for (int64_t k = 0; k < 3; ++k) {
      sum += std::exp(step * (unit.own[k][c].item<double>() - correct));
      sum += (facts / 3 - 1) * std::exp(step * (unit.far[k][c].item<double>() - correct));
    }
    out[static_cast<size_t>(c)] = 1 / sum;
  }
  return out;
}

CoupledFloor coupled_sign_floor(double facts) {
  CoupledFloor best{std::numeric_limits<double>::infinity(), 0};
  for (double step = 0.5; step < 200; step *= 1.002) {
    const double loss = mean_loss(facts, step);
    if (loss < best.loss) best = {loss, step};
  }
  return best;
}

double worst_probability(const TwoClasses& classes, MemoryRule rule, double epsilon) {
  const TwoClassMatrix unit = one_step_logits(classes, rule);
  const auto at = [&](double step) { return classes.correct_probability(scaled(unit, step)); };
  const double gap = std::max(unit.own[0] - unit.same[0], unit.own[1] - unit.same[1]);
  const double step = first_true(0, 700 / gap, [&](double s) {
    const auto p = at(s);
    return std::max(p[0], p[1]) >= 1 - epsilon;
  });
  const auto p = at(step);
  return std::min(p[0], p[1]);
}

double worst_probability_coupled_sign(double facts, double epsilon) {
  const auto best = [&](double step) {
    const auto p = coupled_sign_probability(facts, step);
    return *std::max_element(p.begin(), p.end());
  };
  const double step = first_true(0, 700, [&](double s) { return best(s) >= 1 - epsilon; });
  const auto p = coupled_sign_probability(facts, step);
  return *std::min_element(p.begin(), p.end());
}

}  // namespace muonlab::theory
