#include <algorithm>
#include <cmath>

#include "muonlab/config/model.hpp"

namespace muonlab::config {

InitialWeights::InitialWeights(const ModelConfig& model)
    : init_(model.init), layers_(model.layers), value_residual_share_(model.value_residual_share) {
  for (const InitRule& rule : init_.rules)
    rules_.push_back({{rule.params.begin(), rule.params.end()}, rule});
}

double InitialWeights::deviation(const ParameterSpec& spec) const {
  if (spec.role == Role::bias) return 0;
  for (const Rule& rule : rules_) {
    const auto matches = [&](const Selector& selector) { return selector.matches(spec); };
    if (std::none_of(rule.params.begin(), rule.params.end(), matches)) continue;
    switch (rule.config.kind) {
      case InitKind::normal: return rule.config.value.value_or(init_.std);
      case InitKind::zero: return 0;
      case InitKind::fan_in:
        return rule.config.value.value_or(1.0) / std::sqrt(static_cast<double>(spec.shape.at(1)));
    }
  }
  double deviation = init_.std;
  const bool is_output = spec.role == Role::o || spec.role == Role::ffn_out;
  if (is_output && init_.zero_output) return 0;
  if (is_output && init_.depth_scaled) deviation /= std::sqrt(2.0 * static_cast<double>(layers_));
  return deviation;
}

double InitialWeights::constant(const ParameterSpec& spec) const {
  return is_value_residual(spec) ? value_residual_share_ : 1.0;
}

}  // namespace muonlab::config
