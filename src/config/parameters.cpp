#include "muonlab/base/error.hpp"
#include "muonlab/config/model.hpp"

namespace muonlab::config {

namespace {

constexpr const char* kValueResidual = "self_attn.value_residual";

void add_layer(const ModelConfig& m, int layer, std::vector<ParameterSpec>& out) {
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  const int64_t w = m.width, d = *m.head_dim, f = *m.ffn_width;
  const auto add = [&](const std::string& name, Role role, std::vector<int64_t> shape) {
    out.push_back({prefix + name + ".weight", role, layer, std::move(shape)});
  };
  const auto add_map = [&](const std::string& name, Role role, int64_t rows, int64_t columns,
                           bool has_bias) {
    add(name, role, {rows, columns});
    if (has_bias) out.push_back({prefix + name + ".bias", Role::bias, layer, {rows}});
  };
  const bool qkv_bias = m.attention_bias != AttentionBias::none;
  add("input_layernorm", Role::norm, {w});
  add_map("self_attn.q_proj", Role::q, m.heads * d, w, qkv_bias);
  add_map("self_attn.k_proj", Role::k, *m.kv_heads * d, w, qkv_bias);
  add_map("self_attn.v_proj", Role::v, *m.kv_heads * d, w, qkv_bias);
  add_map("self_attn.o_proj", Role::o, w, m.heads * d, m.attention_bias == AttentionBias::all);
  if (m.qk_norm == QkNorm::gain) {
    add("self_attn.q_norm", Role::norm, {d});
    add("self_attn.k_norm", Role::norm, {d});
  }
  if (m.learns_values() && layer > 0)
    out.push_back({prefix + kValueResidual, Role::norm, layer, {1}});
  // With post_norm the names are Gemma 2's, whose post_attention_layernorm is of what is added.
  add("post_attention_layernorm", Role::norm, {w});
  if (m.post_norm) add("pre_feedforward_layernorm", Role::norm, {w});
  if (m.gated) {
    add_map("mlp.gate_proj", Role::ffn_in, f, w, m.ffn_bias);
    add_map("mlp.up_proj", Role::ffn_gate, f, w, m.ffn_bias);
  } else {
    add_map("mlp.up_proj", Role::ffn_in, f, w, m.ffn_bias);
  }
  add_map("mlp.down_proj", Role::ffn_out, w, f, m.ffn_bias);
  if (m.post_norm) add("post_feedforward_layernorm", Role::norm, {w});
}

}  // namespace

bool is_value_residual(const ParameterSpec& spec) { return spec.name.ends_with(kValueResidual); }

std::vector<ParameterSpec> parameter_specs(const ModelConfig& model) {
  base::check(model.kv_heads && model.head_dim && model.ffn_width && model.vocabulary,
              "parameter_specs needs a resolved model with a vocabulary");
  std::vector<ParameterSpec> specs;
  specs.push_back({"model.embed_tokens.weight", Role::embed, -1, {*model.vocabulary, model.width}});
  if (model.embedding_norm == QkNorm::gain)
    specs.push_back({"model.embed_norm.weight", Role::norm, -1, {model.width}});
  for (int64_t i = 0; i < model.layers; ++i) add_layer(model, static_cast<int>(i), specs);
  specs.push_back({"model.norm.weight", Role::norm, -1, {model.width}});
  if (!model.tied)
    specs.push_back({"lm_head.weight", Role::head, -1, {*model.vocabulary, model.width}});
  if (model.head_bias) specs.push_back({"lm_head.bias", Role::bias, -1, {*model.vocabulary}});
  return specs;
}

}  // namespace muonlab::config
