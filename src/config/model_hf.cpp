#include "muonlab/config/model_hf.hpp"

#include <algorithm>
#include <cmath>

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
  if (m.value_residual != ValueResidual::none)
    return "it mixes the first layer's values into those of later layers";
  if (m.window_rope_theta) return "it has two rotary thetas, which is Gemma 3's";
  if (m.post_norm) return "norms after attention and feed-forward are Gemma's";
  if (m.score_cap > 0 || m.logit_cap > 0) return "it caps scores or logits";
  if (m.attention_scale) return "its scale of attention is not 1/sqrt(head_dim)";
  if (m.embedding_scale != 1) return "it scales the embedding";
  const auto* dynamic = std::get_if<DynamicScaling>(&m.rope_scaling);
  if (dynamic && dynamic->original_context.value_or(m.context) != m.context)
    return "dynamic scaling begins at the context there, not at original_context";
  return "";
}

// The scalar whose inverse square root is the attention's scale, as Gemma stores it.
std::optional<int64_t> scale_scalar(const ModelConfig& m) {
  if (!m.attention_scale) return m.head_dim;
  const auto scalar = static_cast<int64_t>(std::llround(std::pow(*m.attention_scale, -2)));
  const bool is_exact =
      scalar > 0 && 1.0 / std::sqrt(static_cast<double>(scalar)) == *m.attention_scale;
  return is_exact ? std::optional(scalar) : std::nullopt;
}

// The Gemma that computes this model, if any. One with QK-norm is a Gemma 3.
const Architecture* gemma_of(const ModelConfig& m) {
  const bool shares = m.gated && m.post_norm && !m.ffn_bias && !m.head_bias &&
                      m.attention_bias != AttentionBias::qkv && m.rotary_fraction == 1 &&
                      m.embedding_norm == QkNorm::none && m.width % m.heads == 0 &&
                      m.value_residual == ValueResidual::none &&
                      m.logit_cap_form == CapForm::tanh && scale_scalar(m) &&
                      m.embedding_scale == std::sqrt(static_cast<double>(m.width));
  if (!shares || m.qk_norm == QkNorm::no_gain) return nullptr;
  if (m.qk_norm == QkNorm::none) return m.window_rope_theta ? nullptr : &kGemma2;
  const bool scales_windows =
      m.window && !m.window_rope_theta && !std::holds_alternative<NoScaling>(m.rope_scaling);
  return m.score_cap == 0 && !scales_windows ? &kGemma3 : nullptr;
}

Answer answer(const ModelConfig& m, HfFile file) {
  if (const Architecture* gemma = gemma_of(m)) {
    if (file == HfFile::exported) return {*gemma};
    return {kOwn,
            "it is a Gemma, which stores the gains of its norms less one; `muonlab export --to hf` "
            "writes it so"};
  }
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
  const bool gemma = is_gemma(architecture.model_type);
  if ((!m.window && !gemma) || &architecture == &kOwn) return;
  out.set("sliding_window", Value::of(m.window.value_or(4096)));
  if (&architecture == &kMistral) return;
  if (!gemma) {
    out.set("use_sliding_window", Value::of(true));
    out.set("max_window_layers", Value::of(m.layers));
  }
  Value types = Value::array();
  for (int64_t i = 0; i < m.layers; ++i) {
    types.items.push_back(
        Value::of(std::string_view(m.has_window(i) ? "sliding_attention" : "full_attention")));
  }
  out.set("layer_types", std::move(types));
}

Value or_null(double x) { return x > 0 ? Value::of(x) : Value{}; }

void set_gemma(const ModelConfig& m, const Architecture& architecture, Value& out) {
  out.set("query_pre_attn_scalar", Value::of(*scale_scalar(m)));
  out.set("attn_logit_softcapping", or_null(m.score_cap));
  out.set("final_logit_softcapping", or_null(m.logit_cap));
  if (&architecture != &kGemma3) return;
  ModelConfig windowed = m;
  windowed.rope_theta = m.window_rope_theta.value_or(m.rope_theta);
  windowed.rope_scaling = NoScaling{};
  Value sets = Value::object();
  sets.set("full_attention", RopeWriter(m).write());
  sets.set("sliding_attention", RopeWriter(windowed).write());
  out.set("rope_parameters", std::move(sets));
  out.set("rope_local_base_freq", Value::of(windowed.rope_theta));  // transformers 4
}

}  // namespace

std::string hugging_face_architecture(const ModelConfig& model, HfFile file) {
  return answer(model, file).architecture.name;
}

std::string hugging_face_gap(const ModelConfig& model, HfFile file) {
  return answer(model, file).gap;
}

bool exports_gains_less_one(const ModelConfig& model) { return gemma_of(model) != nullptr; }

std::string hugging_face_config(const ModelConfig& model, std::optional<int64_t> eos_token,
                                std::optional<int64_t> bos_token, HfFile file) {
  base::check(model.kv_heads && model.head_dim && model.ffn_width && model.vocabulary,
              "config.json needs a resolved model with a vocabulary");
  const Architecture& architecture = answer(model, file).architecture;
  const bool gemma = is_gemma(architecture.model_type);
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
  set(gemma ? "hidden_activation" : "hidden_act",
      model.activation == Activation::gelu_tanh
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
  if (!gemma) set("mlp_bias", model.ffn_bias);
  set_window(model, architecture, out);
  if (gemma) set_gemma(model, architecture, out);
  token("bos_token_id", bos_token);
  token("eos_token_id", eos_token);
  set("torch_dtype", std::string_view("float32"));
  set("use_cache", true);
  if (!gemma) out.set("muonlab", to_value(model));
  return pretty(out);
}

}  // namespace muonlab::config
