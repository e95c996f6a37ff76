// What the attention of a layer is: one description for the model, the operations and the count of
// FLOPs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "muonlab/config/model.hpp"

namespace muonlab::ops {

// A row of the packed tensor is [query heads | key heads | value heads], each head `head_dim`
// numbers.
struct Heads {
  int64_t queries = 1;
  int64_t keys = 1;  // key heads, and as many value heads; divides `queries`
  int64_t head_dim = 2;

  int64_t query_width() const { return queries * head_dim; }
  int64_t key_width() const { return keys * head_dim; }
  int64_t packed_width() const { return (queries + 2 * keys) * head_dim; }
};

// RMSNorm over each query and key head before the rotation.
struct HeadNorm {
  config::QkNorm mode = config::QkNorm::none;
  double eps = 1e-5;
};

// Rotary position embedding of queries and keys.
struct Rotation {
  double theta = 10000.0;
  double fraction = 1.0;  // share of the pairs (i, i + head_dim / 2) that turn: the first ones
  config::RopeScaling scaling{};
  int64_t context = 1;  // the original one, where the scaling does not say it
};

// softmax(scale q k^T) v, where a query sees its own position and those before it, no more than
// `window` in all and none before the start of its document.
struct AttentionSpec {
  Heads heads{};
  HeadNorm norm{};
  Rotation rotation{};
  std::optional<double> scale{};  // absent: 1 / sqrt(head_dim)
  double score_cap = 0;           // scores become cap tanh(score / cap); 0: they stay
  std::optional<int64_t> window{};
  std::optional<int64_t> document_start{};  // the token that begins a document

  double score_scale() const {
    return scale.value_or(1.0 / std::sqrt(static_cast<double>(heads.head_dim)));
  }
  // Whether the causal mask is not all.
  bool is_masked() const { return window || document_start; }
  // How many keys a query sees, averaged over a sample of `context` tokens; borders of documents
  // are not counted.
  double mean_keys(int64_t context) const {
    const int64_t w = std::min(window.value_or(context), context);
    return static_cast<double>(2 * context - w + 1) * static_cast<double>(w) /
           (2.0 * static_cast<double>(context));
  }
};

// The rotation of a layer. REQUIRES: resolved.
inline Rotation rotation_of(const config::ModelConfig& model, int64_t layer) {
  Rotation rotation{.theta = model.rope_theta,
                    .fraction = model.rotary_fraction,
                    .scaling = model.rope_scaling,
                    .context = model.context};
  if (model.window_rope_theta && model.has_window(layer)) {
    rotation.theta = *model.window_rope_theta;
    rotation.scaling = config::NoScaling{};
  }
  return rotation;
}

// The attention of a layer. REQUIRES: resolved.
inline AttentionSpec attention_spec(const config::ModelConfig& model, int64_t layer) {
  return {.heads = {.queries = model.heads,
                    .keys = model.kv_heads.value(),
                    .head_dim = model.head_dim.value()},
          .norm = {.mode = model.qk_norm, .eps = model.norm_eps},
          .rotation = rotation_of(model, layer),
          .scale = model.attention_scale,
          .score_cap = model.score_cap,
          .window = model.has_window(layer) ? model.window : std::nullopt,
          .document_start = model.document_start};
}

}  // namespace muonlab::ops
