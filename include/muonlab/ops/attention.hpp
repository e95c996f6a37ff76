// Causal self-attention over packed queries, keys and values, with grouped keys, rotation and
// QK-norm.
#pragma once

#include <ATen/core/Tensor.h>

#include "muonlab/ops/attention_spec.hpp"
#include "muonlab/ops/rope.hpp"
#include "muonlab/tensor/parameter.hpp"
#include "muonlab/tensor/path.hpp"

namespace muonlab::ops {

// The gains of the norm over query and key heads, [head_dim]; empty unless its mode is gain.
struct HeadGains {
  tensor::Parameter query, key;
};

// softmax(cap(scale q k^T), causal) v; q [b, h, t, d], k and v [b, h_kv, t, d] -> [b, h, t, d].
// first_keys int32 [b, t]: the first key that each query sees; undefined: position 0. Plain, twice
// differentiable. Of the spec it reads scale and score_cap.
at::Tensor attention_reference(const at::Tensor& q_bhtd, const at::Tensor& k_bhtd,
                               const at::Tensor& v_bhtd, const AttentionSpec& spec = {},
                               const at::Tensor& first_keys_bt = {});

// qkv [b * t, packed width] in the compute dtype -> [b * t, query width] in the same dtype:
// QK-norm, rotation, attention. Norm and rotation are computed in fp32. Fused: consumes qkv (its
// contents are overwritten), and the backward adds the gains' gradients to their grad itself.
// first_keys_bt: see visible_keys.hpp. A cap on scores, and first keys where there is no kernel of
// ours for them (a GPU, processors without AVX-512), are composed of ATen's operations in fp32.
at::Tensor self_attention(tensor::Path path, const at::Tensor& qkv, int64_t num_sequences,
                          const AttentionSpec& spec, const RotaryTable& rotary,
                          const HeadGains& gains, const at::Tensor& first_keys_bt = {});

// The largest score scale q k^T that a query sees, over all sequences and heads, after QK-norm and
// rotation and before a cap; queries and keys are in the compute dtype, scores in fp32 (double for
// double). Leaves qkv alone; no graph.
double largest_logit(const at::Tensor& qkv, int64_t num_sequences, const AttentionSpec& spec,
                     const RotaryTable& rotary, const HeadGains& gains,
                     const at::Tensor& first_keys_bt = {});
// The same for each query head: double [query heads], on the CPU.
at::Tensor largest_logits(const at::Tensor& qkv, int64_t num_sequences, const AttentionSpec& spec,
                          const RotaryTable& rotary, const HeadGains& gains,
                          const at::Tensor& first_keys_bt = {});

}  // namespace muonlab::ops
