// The model section: a LLaMA-style decoder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/config/init.hpp"
#include "muonlab/config/role.hpp"
#include "muonlab/config/rope_scaling.hpp"

namespace muonlab::config {

// gelu is the exact one, gelu_tanh its approximation by tanh (Gemma).
enum class Activation { silu, gelu, relu2, gelu_tanh };
template <>
struct EnumNames<Activation> {
  static constexpr std::array<std::string_view, 4> names{"silu", "gelu", "relu2", "gelu_tanh"};
};

// RMSNorm, of queries and keys before the rotation or of the embedding: none, without gain (the
// paper), with gain (Qwen3).
enum class QkNorm { none, no_gain, gain };
template <>
struct EnumNames<QkNorm> {
  static constexpr std::array<std::string_view, 3> names{"none", "no_gain", "gain"};
};

// Which of the attention's linear maps have a bias: none, those of q, k and v (Qwen2), or o too.
enum class AttentionBias { none, qkv, all };
template <>
struct EnumNames<AttentionBias> {
  static constexpr std::array<std::string_view, 3> names{"none", "qkv", "all"};
};

// Whether the values of the first layer are mixed into those of later layers (value residual,
// arXiv 2410.17897): by a share that stays as it is, or by one that each layer learns.
enum class ValueResidual { none, fixed, learned };
template <>
struct EnumNames<ValueResidual> {
  static constexpr std::array<std::string_view, 3> names{"none", "fixed", "learned"};
};

// How a soft cap bends x to stay within (-cap, cap): cap tanh(x / cap) (Gemma 2), or
// x / sqrt(1 + (x / cap)^2) (modded-nanogpt).
enum class CapForm { tanh, rsqrt };
template <>
struct EnumNames<CapForm> {
  static constexpr std::array<std::string_view, 2> names{"tanh", "rsqrt"};
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
  std::optional<double> attention_scale;
  double score_cap = 0.0;
  double logit_cap = 0.0;
  CapForm logit_cap_form = CapForm::tanh;
  double rotary_fraction = 1.0;
  RopeScaling rope_scaling = NoScaling{};
  std::optional<double> window_rope_theta;
  AttentionBias attention_bias = AttentionBias::none;
  bool ffn_bias = false;
  bool head_bias = false;
  std::optional<int64_t> window;
  std::string window_pattern = "w";
  std::optional<int64_t> document_start;
  QkNorm embedding_norm = QkNorm::none;
  double embedding_scale = 1.0;
  bool post_norm = false;
  ValueResidual value_residual = ValueResidual::none;
  double value_residual_share = 0.5;
  InitConfig init;

  bool learns_values() const { return value_residual == ValueResidual::learned; }
  // Whether a layer's attention has the window.
  bool has_window(int64_t layer) const {
    return window && window_pattern[static_cast<size_t>(layer) % window_pattern.size()] == 'w';
  }

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
    visit("attention_scale", self.attention_scale,
          Field{.help = "factor on q k before the softmax; default: 1/sqrt(head_dim)",
                .min = 0,
                .above_min = true});
    visit("score_cap", self.score_cap,
          Field{.help = "soft cap on attention scores: cap tanh(score / cap); 0: none",
                .min = 0,
                .quiet = true});
    visit("logit_cap", self.logit_cap,
          Field{.help = "soft cap on the logits; 0: none", .min = 0, .quiet = true});
    visit(
        "logit_cap_form", self.logit_cap_form,
        Field{.help = "tanh: cap tanh(x / cap); rsqrt: x / sqrt(1 + (x / cap)^2)", .quiet = true});
    visit("rotary_fraction", self.rotary_fraction,
          Field{.help = "share of each head that is rotated: the first so many of each half, with "
                        "frequencies theta^(-2 i / rotated width)",
                .min = 0,
                .max = 1,
                .quiet = true});
    visit("rope_scaling", self.rope_scaling,
          Field{.help = "scaling of the rotary frequencies for longer contexts", .quiet = true});
    visit("window_rope_theta", self.window_rope_theta,
          Field{.help = "base of the rotary frequencies in layers with the window, where nothing "
                        "scales them (Gemma 3); default: as in the other layers",
                .min = 0,
                .above_min = true});
    visit(
        "attention_bias", self.attention_bias,
        Field{.help = "biases of the attention: none, qkv (Qwen2), or all (o too)", .quiet = true});
    visit("ffn_bias", self.ffn_bias,
          Field{.help = "biases of the feed-forward's matrices", .quiet = true});
    visit("head_bias", self.head_bias, Field{.help = "a bias of the head", .quiet = true});
    visit("window", self.window,
          Field{.help = "tokens that attention looks back on, its own included; default: all",
                .min = 1});
    visit("window_pattern", self.window_pattern,
          Field{.help = "which layers have the window, repeated over the layers: w has it, f sees "
                        "everything (wwf: two of three)",
                .quiet = true});
    visit("document_start", self.document_start,
          Field{.help = "token id that begins a document (the end-of-text id between documents); "
                        "attention does not look past it; default: it looks",
                .min = 0});
    visit("embedding_norm", self.embedding_norm,
          Field{.help = "RMSNorm after the embedding, without or with a gain", .quiet = true});
    visit("embedding_scale", self.embedding_scale,
          Field{.help = "factor on the embedding (Gemma: sqrt(width))",
                .min = 0,
                .above_min = true,
                .quiet = true});
    visit("post_norm", self.post_norm,
          Field{.help = "RMSNorm also on what attention and feed-forward add (Gemma 2)",
                .quiet = true});
    visit("value_residual", self.value_residual,
          Field{.help = "mix the first layer's values into those of later layers (ResFormer): v "
                        "becomes (1 - share) v + share v_first; fixed, or a learned share a layer",
                .quiet = true});
    visit("value_residual_share", self.value_residual_share,
          Field{.help = "that share; where it is learned, the share that training starts with",
                .min = 0,
                .max = 1,
                .quiet = true});
    visit("init", self.init, Field{.help = "initial weights"});
  }
};

// How the parameters of a model begin. REQUIRES: resolved.
class InitialWeights {
 public:
  explicit InitialWeights(const ModelConfig& model);
  // The standard deviation of a matrix's or bias's initial values; 0 for zeros.
  double deviation(const ParameterSpec& spec) const;
  // What a parameter of the role norm holds at first: one, or the share of a value residual.
  double constant(const ParameterSpec& spec) const;

 private:
  struct Rule {
    std::vector<Selector> params;
    InitRule config;
  };
  InitConfig init_;
  int64_t layers_;
  double value_residual_share_;
  std::vector<Rule> rules_;
};

// Whether this is a layer's learned share of the first layer's values, a number of role norm.
bool is_value_residual(const ParameterSpec& spec);

// Every parameter in model order: embedding, layers, final norm, head (absent when tied). REQUIRES:
// resolved.
std::vector<ParameterSpec> parameter_specs(const ModelConfig& model);

}  // namespace muonlab::config
