#include "muonlab/config/model_hf.hpp"

#include <algorithm>

#include "config/architecture.hpp"
#include "config/writer.hpp"
#include "muonlab/base/error.hpp"

namespace muonlab::config {

namespace {

struct Answer {
  const Architecture& architecture;
  std::string gap{};  // why transformers has none
};

// What no architecture of these has, or has in another way.
std::string common_gap(const ModelConfig& m) {
  if (m.rotary_fraction != 1) return "it rotates a share of each head";
  if (m.embedding_norm != QkNorm::none) return "it has a norm after the embedding";
  if (m.head_bias) return "its head has a bias";
  if (m.post_norm) return "Gemma 2, which has norms after attention, stores their gains less one";
  if (m.score_cap > 0 || m.logit_cap > 0) return "it caps scores or logits";
  if (m.attention_scale) return "its scale of attention is not 1/sqrt(head_dim)";
  if (m.embedding_scale != 1) return "it scales the embedding";
  const auto* dynamic = std::get_if<DynamicScaling>(&m.rope_scaling);
  if (dynamic && dynamic->original_context.value_or(m.context) != m.context)
    return "dynamic scaling begins at the context there, not at original_context";
  return "";
}

Answer answer(const ModelConfig& m) {
  if (m.qk_norm != QkNorm::none && !m.gated)
    return {kOwn, "no architecture there has QK-norm with a plain feed-forward"};
  const bool is_qwen3 = m.qk_norm != QkNorm::none;
  if (!is_qwen3 && m.width % m.heads != 0) {
    return {kOwn, base::str(m.heads, " heads do not divide the width ", m.width,
                            ", which only Qwen3 (gated, with QK-norm) allows there")};
  }
  if (std::string gap = common_gap(m); !gap.empty()) return {kOwn, gap};
  const bool is_qwen2 = m.attention_bias == AttentionBias::qkv;
  if (is_qwen2 && (is_qwen3 || !m.gated))
    return {kOwn, "biases of q, k and v alone are Qwen2's (gated, no QK-norm)"};
  if (m.ffn_bias && (is_qwen2 || is_qwen3 || m.window))
    return {kOwn, "biases of the feed-forward are Llama's and Arcee's, without QK-norm or window"};
  if (is_qwen3) return {kQwen3};
  if (is_qwen2) return {kQwen2};
  if (!m.window) return {m.gated ? kLlama : kArcee};
  const bool everywhere = m.window_pattern.find('f') == std::string::npos;
  if (m.gated && everywhere && m.attention_bias == AttentionBias::none) return {kMistral};
  return {kOwn,
          "windows are Mistral's (gated, in every layer, no biases), Qwen2's and Qwen3's there"};
}

Value strings(std::initializer_list<std::string_view> texts) {
  Value out = Value::array();
  for (const std::string_view text : texts) out.items.push_back(Value::of(text));
  return out;
}

// The rotary parameters of transformers 5.
class RopeWriter {
 public:
  explicit RopeWriter(const ModelConfig& model) : model_(model) {}

  Value write() {
    std::visit(*this, model_.rope_scaling);
    set("rope_theta", model_.rope_theta);
    return std::move(out_);
  }
  void operator()(const NoScaling&) { type("default"); }
  void operator()(const LinearScaling& s) { type("linear", s.factor); }
  void operator()(const DynamicScaling& s) { type("dynamic", s.factor); }
  void operator()(const Llama3Scaling& s) {
    type("llama3", s.factor);
    set("low_freq_factor", s.low_frequency);
    set("high_freq_factor", s.high_frequency);
    set("original_max_position_embeddings", s.original_context);
  }
  void operator()(const YarnScaling& s) {
    type("yarn", s.factor);
    set("original_max_position_embeddings", s.original_context.value_or(model_.context));
    set("beta_fast", s.beta_fast);
    set("beta_slow", s.beta_slow);
    if (s.attention_factor) set("attention_factor", *s.attention_factor);
  }

 private:
  template <class T>
  void set(const char* key, T value) {
    out_.set(key, Value::of(value));
  }
  void type(std::string_view name, std::optional<double> factor = {}) {
    set("rope_type", name);
    if (factor) set("factor", *factor);
  }

  const ModelConfig& model_;
  Value out_ = Value::object();
};

void set_window(const ModelConfig& m, const Architecture& architecture, Value& out) {
  if (!m.window || &architecture == &kOwn) return;
  out.set("sliding_window", Value::of(*m.window));
  if (&architecture == &kMistral) return;
  out.set("use_sliding_window", Value::of(true));
  out.set("max_window_layers", Value::of(m.layers));
  Value types = Value::array();
  for (int64_t i = 0; i < m.layers; ++i) {
    types.items.push_back(
        Value::of(std::string_view(m.has_window(i) ? "sliding_attention" : "full_attention")));
  }
  out.set("layer_types", std::move(types));
}

}  // namespace

std::string hugging_face_architecture(const ModelConfig& model) {
  return answer(model).architecture.name;
}

std::string hugging_face_gap(const ModelConfig& model) { return answer(model).gap; }

std::string hugging_face_config(const ModelConfig& model, std::optional<int64_t> eos_token,
                                std::optional<int64_t> bos_token) {
  base::check(model.kv_heads && model.head_dim && model.ffn_width && model.vocabulary,
              "config.json needs a resolved model with a vocabulary");
  const Architecture& architecture = answer(model).architecture;
  Value out = Value::object();
  const auto set = [&](const char* key, auto value) { out.set(key, Value::of(value)); };
  const auto token = [&](const char* key, std::optional<int64_t> id) {
    out.set(key, id ? Value::of(*id) : Value{});
  };
  out.set("architectures", strings({architecture.name}));
  set("model_type", std::string_view(architecture.model_type));
  set("vocab_size", *model.vocabulary);
  set("hidden_size", model.width);
  set("intermediate_size", *model.ffn_width);
  set("num_hidden_layers", model.layers);
  set("num_attention_heads", model.heads);
  set("num_key_value_heads", *model.kv_heads);
  set("head_dim", *model.head_dim);
  set("hidden_act", model.activation == Activation::gelu_tanh
                        ? std::string_view("gelu_pytorch_tanh")
                        : EnumNames<Activation>::names[static_cast<size_t>(model.activation)]);
  set("max_position_embeddings", model.context);
  set("initializer_range", std::min(model.init.std, 1.0));  // more is refused there
  set("rms_norm_eps", model.norm_eps);
  set("rope_theta", model.rope_theta);
  const Value rope = RopeWriter(model).write();
  out.set("rope_parameters", rope);
  // transformers 4 knows only this one
  if (!std::holds_alternative<NoScaling>(model.rope_scaling)) out.set("rope_scaling", rope);
  set("tie_word_embeddings", model.tied);
  if (&architecture != &kQwen2) set("attention_bias", model.attention_bias == AttentionBias::all);
  set("attention_dropout", 0.0);
  set("mlp_bias", model.ffn_bias);
  set_window(model, architecture, out);
  token("bos_token_id", bos_token);
  token("eos_token_id", eos_token);
  set("torch_dtype", std::string_view("float32"));
  set("use_cache", true);
  out.set("muonlab", to_value(model));
  return pretty(out);
}

}  // namespace muonlab::config
