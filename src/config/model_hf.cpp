#include "muonlab/config/model_hf.hpp"

#include <algorithm>

#include "config/architecture.hpp"
#include "config/writer.hpp"
#include "muonlab/base/error.hpp"

namespace muonlab::config {

namespace {

const Architecture& architecture_of(const ModelConfig& m) {
  if (m.qk_norm != QkNorm::none) return m.gated ? kQwen3 : kOwn;
  if (m.width % m.heads != 0) return kOwn;
  return m.gated ? kLlama : kArcee;
}

}  // namespace

std::string hugging_face_architecture(const ModelConfig& model) {
  return architecture_of(model).name;
}

std::string hugging_face_gap(const ModelConfig& model) {
  if (&architecture_of(model) != &kOwn) return "";
  if (model.qk_norm != QkNorm::none)
    return "no architecture there has QK-norm with a plain feed-forward";
  return base::str(model.heads, " heads do not divide the width ", model.width,
                   ", which only Qwen3 (gated, with QK-norm) allows there");
}

std::string hugging_face_config(const ModelConfig& model, std::optional<int64_t> eos_token,
                                std::optional<int64_t> bos_token) {
  base::check(model.kv_heads && model.head_dim && model.ffn_width && model.vocabulary,
              "config.json needs a resolved model with a vocabulary");
  const Architecture& architecture = architecture_of(model);
  Value out = Value::object();
  const auto set = [&](const char* key, auto value) { out.set(key, Value::of(value)); };
  const auto token = [&](const char* key, std::optional<int64_t> id) {
    out.set(key, id ? Value::of(*id) : Value{});
  };
  Value names = Value::array();
  names.items.push_back(Value::of(std::string_view(architecture.name)));
  out.set("architectures", std::move(names));
  set("model_type", std::string_view(architecture.model_type));
  set("vocab_size", *model.vocabulary);
  set("hidden_size", model.width);
  set("intermediate_size", *model.ffn_width);
  set("num_hidden_layers", model.layers);
  set("num_attention_heads", model.heads);
  set("num_key_value_heads", *model.kv_heads);
  set("head_dim", *model.head_dim);
  set("hidden_act", EnumNames<Activation>::names[static_cast<size_t>(model.activation)]);
  set("max_position_embeddings", model.context);
  set("initializer_range", std::min(model.init.std, 1.0));  // more is refused there
  set("rms_norm_eps", model.norm_eps);
  set("rope_theta", model.rope_theta);
  Value rope = Value::object();
  rope.set("rope_type", Value::of(std::string_view("default")));
  rope.set("rope_theta", Value::of(model.rope_theta));
  out.set("rope_parameters", std::move(rope));
  set("tie_word_embeddings", model.tied);
  set("attention_bias", false);
  set("attention_dropout", 0.0);
  set("mlp_bias", false);
  token("bos_token_id", bos_token);
  token("eos_token_id", eos_token);
  set("torch_dtype", std::string_view("float32"));
  set("use_cache", true);
  out.set("muonlab", to_value(model));
  return pretty(out);
}

}  // namespace muonlab::config
