// The model section: a LLaMA-style decoder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/config/role.hpp"

namespace muonlab::config {

enum class Activation { silu, gelu, relu2 };
template <>
struct EnumNames<Activation> {
  static constexpr std::array<std::string_view, 3> names{"silu", "gelu", "relu2"};
};

// RMSNorm on queries and keys before the rotation: none, without gain (the paper), with gain
// (Qwen3).
enum class QkNorm { none, no_gain, gain };
template <>
struct EnumNames<QkNorm> {
  static constexpr std::array<std::string_view, 3> names{"none", "no_gain", "gain"};
};

struct InitConfig {
  double std = 0.02;
  bool depth_scaled = false;
  bool zero_output = false;

  bool operator==(const InitConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("std", self.std, Field{.help = "standard deviation of initial weights", .min = 0});
    visit("depth_scaled", self.depth_scaled,
          Field{.help = "divide the standard deviation of o and ffn_out by sqrt(2 layers)"});
    visit("zero_output", self.zero_output, Field{.help = "start o and ffn_out at zero"});
  }
};

// Absent optional values are filled in by resolve() (config/resolve.hpp): after it kv_heads,
// head_dim, ffn_width and vocabulary hold numbers, and from and size are empty.
struct ModelConfig {
  std::optional<std::string> from;
  std::optional<std::string> size;
  int64_t layers = 6;
  int64_t width = 256;
  int64_t heads = 4;
  std::optional<int64_t> kv_heads;
  std::optional<int64_t> head_dim;
  bool gated = true;
  Activation activation = Activation::silu;
  std::optional<int64_t> ffn_width;
  QkNorm qk_norm = QkNorm::none;
  bool tied = false;
  int64_t context = 256;
  double rope_theta = 10000.0;
  double norm_eps = 1e-5;
  std::optional<int64_t> vocabulary;
  InitConfig init;

  bool operator==(const ModelConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("from", self.from, Field{.help = "take the shape from a Hugging Face config.json"});
    visit("size", self.size,
          Field{.help = "take the shape from a named size: tiny, small, 14m, 160m"});
    visit("layers", self.layers, Field{.help = "decoder layers", .min = 1, .max = 4096});
    visit("width", self.width,
          Field{.help = "width of the residual stream", .min = 1, .max = 1 << 20});
    visit("heads", self.heads, Field{.help = "attention heads", .min = 1, .max = 1 << 16});
    visit("kv_heads", self.kv_heads,
          Field{.help = "key and value heads; default: heads", .min = 1, .max = 1 << 16});
    visit("head_dim", self.head_dim,
          Field{.help = "width of a head, even; default: width / heads", .min = 2, .max = 1 << 16});
    visit("gated", self.gated,
          Field{.help = "gated feed-forward: W_out(act(W_in h) * (W_gate h))"});
    visit("activation", self.activation, Field{.help = "activation of the feed-forward"});
    visit("ffn_width", self.ffn_width,
          Field{.help = "hidden width of the feed-forward; default: 8/3 width, rounded (gated), 4 "
                        "width (plain)",
                .min = 1,
                .max = 1 << 24});
    visit("qk_norm", self.qk_norm,
          Field{.help = "RMSNorm on queries and keys, without or with a gain"});
    visit("tied", self.tied, Field{.help = "the head shares the embedding's weights"});
    visit("context", self.context, Field{.help = "tokens per sample", .min = 1, .max = 1 << 20});
    visit("rope_theta", self.rope_theta,
          Field{.help = "base of the rotary frequencies", .min = 0, .above_min = true});
    visit("norm_eps", self.norm_eps, Field{.help = "epsilon of RMSNorm", .min = 0});
    visit("vocabulary", self.vocabulary,
          Field{.help = "number of token ids; default: the tokenizer's", .min = 2, .max = 1 << 28});
    visit("init", self.init, Field{.help = "initial weights"});
  }
};

// Every parameter in model order: embedding, layers, final norm, head (absent when tied). REQUIRES:
// resolved.
std::vector<ParameterSpec> parameter_specs(const ModelConfig& model);

}  // namespace muonlab::config
