// Scalings of the rotary frequencies: how a model that was trained on short contexts is made to
// read longer ones. The formulas are those of transformers (modeling_rope_utils.py), so a file that
// holds one means the same there and here.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "muonlab/config/field.hpp"

namespace muonlab::config {

struct NoScaling {
  static constexpr std::string_view kName = "none";
  bool operator==(const NoScaling&) const = default;
  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
};

// Every frequency divided by the factor.
struct LinearScaling {
  static constexpr std::string_view kName = "linear";
  double factor = 1.0;
  bool operator==(const LinearScaling&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("factor", self.factor,
          Field{.help = "how many times longer the context becomes", .min = 1});
  }
};

// Sequences longer than the original context raise theta, so that the slowest frequency spans them.
struct DynamicScaling : LinearScaling {
  static constexpr std::string_view kName = "dynamic";
  std::optional<int64_t> original_context;
  bool operator==(const DynamicScaling&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    LinearScaling::fields(self, visit);
    visit("original_context", self.original_context,
          Field{.help = "tokens up to which nothing is scaled; default: model.context", .min = 1});
  }
};

// Llama 3.1: waves longer than original_context / low_frequency are slowed by the factor, those
// shorter than original_context / high_frequency stay, with a ramp between.
struct Llama3Scaling : LinearScaling {
  static constexpr std::string_view kName = "llama3";
  int64_t original_context = 8192;
  double low_frequency = 1.0;
  double high_frequency = 4.0;
  Llama3Scaling() { factor = 8.0; }
  bool operator==(const Llama3Scaling&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    LinearScaling::fields(self, visit);
    visit("original_context", self.original_context,
          Field{.help = "tokens that the model was first trained on", .min = 1});
    visit("low_frequency", self.low_frequency,
          Field{.help = "turns within the original context below which a frequency is divided by "
                        "the factor",
                .min = 0,
                .above_min = true});
    visit("high_frequency", self.high_frequency,
          Field{.help = "turns within the original context above which a frequency stays as it is",
                .min = 0,
                .above_min = true});
  }
};

// YaRN (arXiv 2309.00071): the same idea by rotations within the original context, and a factor on
// queries and keys.
struct YarnScaling : LinearScaling {
  static constexpr std::string_view kName = "yarn";
  std::optional<int64_t> original_context;
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  std::optional<double> attention_factor;
  bool operator==(const YarnScaling&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    LinearScaling::fields(self, visit);
    visit("original_context", self.original_context,
          Field{.help = "tokens that the model was first trained on; default: model.context",
                .min = 1});
    visit("beta_fast", self.beta_fast,
          Field{.help = "turns within the original context above which a frequency stays as it is",
                .min = 0,
                .above_min = true});
    visit("beta_slow", self.beta_slow,
          Field{.help = "turns within the original context below which a frequency is divided by "
                        "the factor",
                .min = 0,
                .above_min = true});
    visit("attention_factor", self.attention_factor,
          Field{.help = "factor on rotated queries and keys; default: 0.1 ln(factor) + 1",
                .min = 0,
                .above_min = true});
  }
};

using RopeScaling =
    std::variant<NoScaling, LinearScaling, DynamicScaling, YarnScaling, Llama3Scaling>;
template <>
struct TagOf<RopeScaling> {
  static constexpr std::string_view key = "kind";
};

}  // namespace muonlab::config
