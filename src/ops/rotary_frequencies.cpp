// The scalings of rotary frequencies, as transformers computes them (modeling_rope_utils.py).
#include <algorithm>
#include <cmath>
#include <numbers>

#include "muonlab/ops/rope.hpp"

namespace muonlab::ops {
namespace {

constexpr double kTurn = 2.0 * std::numbers::pi;

// theta^(-2 i / width) for the pairs of `width` numbers.
std::vector<double> powers(double theta, int64_t width) {
  std::vector<double> radians;
  for (int64_t i = 0; i < width / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(width);
    radians.push_back(std::pow(theta, exponent));
  }
  return radians;
}

// The pair, as a real number, that turns so many times within the context.
double pair_of(double turns, double context, double theta, int64_t width) {
  return static_cast<double>(width) * std::log(context / (turns * kTurn)) / (2.0 * std::log(theta));
}

struct Scaler {
  int64_t num_positions;
  int64_t width;  // rotated numbers of a head
  const Rotation& rotation;

  double original(const std::optional<int64_t>& context) const {
    return static_cast<double>(context.value_or(rotation.context));
  }

  RotaryFrequencies operator()(const config::NoScaling&) const {
    return {powers(rotation.theta, width)};
  }

  RotaryFrequencies operator()(const config::LinearScaling& scaling) const {
    std::vector<double> radians = powers(rotation.theta, width);
    for (double& r : radians) r /= scaling.factor;
    return {radians};
  }

  RotaryFrequencies operator()(const config::DynamicScaling& scaling) const {
    const double context = original(scaling.original_context);
    const double length = std::max(static_cast<double>(num_positions), context);
    const double growth = scaling.factor * length / context - (scaling.factor - 1.0);
    const double exponent = static_cast<double>(width) / static_cast<double>(width - 2);
    return {powers(rotation.theta * std::pow(growth, exponent), width)};
  }

  RotaryFrequencies operator()(const config::YarnScaling& scaling) const {
    const double context = original(scaling.original_context);
    const double last = static_cast<double>(width - 1);
    const auto pair = [&](double turns) { return pair_of(turns, context, rotation.theta, width); };
    const double low = std::max(std::floor(pair(scaling.beta_fast)), 0.0);
    double high = std::min(std::ceil(pair(scaling.beta_slow)), last);
    if (high == low) high += 0.001;
    std::vector<double> radians = powers(rotation.theta, width);
    for (size_t i = 0; i < radians.size(); ++i) {
      const double slowed = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
      radians[i] = radians[i] / scaling.factor * slowed + radians[i] * (1.0 - slowed);
    }
    const double usual = scaling.factor <= 1.0 ? 1.0 : 0.1 * std::log(scaling.factor) + 1.0;
    return {radians, scaling.attention_factor.value_or(usual)};
  }

  RotaryFrequencies operator()(const config::Llama3Scaling& scaling) const {
    const double context = static_cast<double>(scaling.original_context);
    std::vector<double> radians = powers(rotation.theta, width);
    for (double& r : radians) {
      const double turns = context * r / kTurn;
      if (turns > scaling.high_frequency) continue;
      const double kept =
          turns < scaling.low_frequency
              ? 0.0
              : (turns - scaling.low_frequency) / (scaling.high_frequency - scaling.low_frequency);
      r = (1.0 - kept) * r / scaling.factor + kept * r;
    }
    return {radians};
  }
};

}  // namespace

RotaryFrequencies rotary_frequencies(int64_t num_positions, int64_t head_dim,
                                     const Rotation& rotation) {
  const int64_t half = head_dim / 2;
  const int64_t pairs = std::llround(rotation.fraction * static_cast<double>(half));
  RotaryFrequencies made = std::visit(Scaler{num_positions, 2 * pairs, rotation}, rotation.scaling);
  made.radians.resize(static_cast<size_t>(half), 0.0);
  return made;
}

bool serves_shorter(const Rotation& rotation) {
  return !std::holds_alternative<config::DynamicScaling>(rotation.scaling);
}

}  // namespace muonlab::ops
