// Initial weights.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "muonlab/config/field.hpp"

namespace muonlab::config {

// normal: a standard deviation that is given; fan_in: one over the square root of the matrix's
// inputs, times a factor; zero: zeros.
enum class InitKind { normal, fan_in, zero };
template <>
struct EnumNames<InitKind> {
  static constexpr std::array<std::string_view, 3> names{"normal", "fan_in", "zero"};
};

// How the matrices that `params` names begin; the same words as in a line of assign.
struct InitRule {
  std::vector<std::string> params;
  InitKind kind = InitKind::normal;
  std::optional<double> value;

  bool operator==(const InitRule&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("params", self.params, Field{.help = "groups, roles or patterns of matrices"});
    visit("kind", self.kind, Field{.help = "normal, fan_in or zero"});
    visit("value", self.value,
          Field{.help = "normal: the standard deviation, default init.std; fan_in: the factor on "
                        "1/sqrt(inputs), default 1",
                .min = 0});
  }
};

// The first rule that names a matrix decides; the other settings are for matrices without one.
struct InitConfig {
  double std = 0.02;
  bool depth_scaled = false;
  bool zero_output = false;
  std::vector<InitRule> rules;

  bool operator==(const InitConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("std", self.std, Field{.help = "standard deviation of initial weights", .min = 0});
    visit("depth_scaled", self.depth_scaled,
          Field{.help = "divide the standard deviation of o and ffn_out by sqrt(2 layers)"});
    visit("zero_output", self.zero_output, Field{.help = "start o and ffn_out at zero"});
    visit("rules", self.rules,
          Field{.help = "how matrices begin, by role; the first that matches decides",
                .quiet = true});
  }
};

}  // namespace muonlab::config
