// What the attention of a layer is: one description for the model, the operations and the count of
// FLOPs.
#pragma once

#include <cstdint>

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
};

// softmax(q k^T / sqrt(head_dim)) v with the causal mask: a query sees its own position and those
// before it. A mask of another kind, a window or a cap on scores belongs here.
struct AttentionSpec {
  Heads heads{};
  HeadNorm norm{};
  Rotation rotation{};

  // How many keys a query sees, averaged over a sample of `context` tokens.
  double mean_keys(int64_t context) const { return static_cast<double>(context + 1) / 2.0; }
};

// The attention of each layer. REQUIRES: resolved.
inline AttentionSpec attention_spec(const config::ModelConfig& model) {
  return {.heads = {.queries = model.heads,
                    .keys = model.kv_heads.value(),
                    .head_dim = model.head_dim.value()},
          .norm = {.mode = model.qk_norm, .eps = model.norm_eps},
          .rotation = {.theta = model.rope_theta}};
}

}  // namespace muonlab::ops
