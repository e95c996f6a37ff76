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

// softmax(q k^T / sqrt(d), causal) v; q [b, h, t, d], k and v [b, h_kv, t, d] -> [b, h, t, d].
// Plain, twice differentiable.
at::Tensor attention_reference(const at::Tensor& q_bhtd, const at::Tensor& k_bhtd,
                               const at::Tensor& v_bhtd);

// qkv [b * t, packed width] in the compute dtype -> [b * t, query width] in the same dtype:
// QK-norm, rotation, attention. Norm and rotation are computed in fp32. Fused: consumes qkv (its
// contents are overwritten), and the backward adds the gains' gradients to their grad itself.
at::Tensor self_attention(tensor::Path path, const at::Tensor& qkv, int64_t num_sequences,
                          const AttentionSpec& spec, const RotaryTable& rotary,
                          const HeadGains& gains);

// The largest causal score q k^T / sqrt(d) over all sequences and heads, after QK-norm and
// rotation; queries and keys are in the compute dtype, scores in fp32 (double for double). Leaves
// qkv alone; no graph.
double largest_logit(const at::Tensor& qkv, int64_t num_sequences, const AttentionSpec& spec,
                     const RotaryTable& rotary, const HeadGains& gains);
// The same for each query head: double [query heads], on the CPU.
at::Tensor largest_logits(const at::Tensor& qkv, int64_t num_sequences, const AttentionSpec& spec,
                          const RotaryTable& rotary, const HeadGains& gains);

}  // namespace muonlab::ops
