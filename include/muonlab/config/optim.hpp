// Optimizers, schedules and the assignment of parameters to optimizers.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "muonlab/config/elementwise_rules.hpp"
#include "muonlab/config/field.hpp"
#include "muonlab/config/matrix_rules.hpp"
#include "muonlab/config/muon_rules.hpp"
#include "muonlab/config/schedule.hpp"

namespace muonlab::config {

using OptimizerConfig =
    std::variant<AdamWConfig, SgdConfig, SignSgdConfig, MuonConfig, NorMuonConfig, AdaMuonConfig,
                 LionConfig, Dion2Config, ScionConfig, SoapConfig, EmberConfig>;
template <>
struct TagOf<OptimizerConfig> {
  static constexpr std::string_view key = "rule";
};
inline std::string_view rule_name(const OptimizerConfig& optimizer) {
  return std::visit([](const auto& rule) { return rule.kName; }, optimizer);
}
inline bool is_for_matrices_only(const OptimizerConfig& optimizer) {
  return std::visit([](const auto& rule) { return rule.kMatricesOnly; }, optimizer);
}
inline bool keeps_age(const OptimizerConfig& optimizer) {
  return std::visit([](const auto& rule) { return rule.kKeepsAge; }, optimizer);
}
inline MomentNames moment_names(const OptimizerConfig& optimizer) {
  return std::visit([](const auto& rule) { return rule.moments(); }, optimizer);
}

struct AssignConfig {
  std::vector<std::string> params;
  std::string optimizer;
  bool operator==(const AssignConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("params", self.params,
          Field{.help = "groups (qk vo attn ffn matrices all), roles, Hugging Face's names of "
                        "matrices (q_proj gate_proj up_proj …), or globs on names; @a-b keeps "
                        "layers a to b"});
    visit("optimizer", self.optimizer, Field{.help = "a name from optimizers"});
  }
};

}  // namespace muonlab::config
