// The head and the cross-entropy behind it, without the full table of logits.
#pragma once

#include <ATen/core/Tensor.h>

#include "muonlab/ops/stacked_weight.hpp"

namespace muonlab::ops {

// A target of this value is not counted.
inline constexpr int64_t kIgnoredTarget = -100;

// hidden [n, w] in any floating dtype, head [v, w], targets int64 [n] -> mean cross-entropy in nats
// over the counted targets, 0-d, fp32 (double for double parameters); 0 when none is counted.
// Throws base::Error for a target outside the vocabulary. Fused: the logits exist for one chunk of
// tokens at a time; with a graph, the gradients of hidden and head are made in the forward already
// and scaled in the backward, which adds the head's to its parameter's grad.
at::Tensor cross_entropy(const at::Tensor& hidden_nw, const StackedWeight& head,
                         const at::Tensor& targets_n);

// Cross-entropy of each target, fp32 [n] (double for double parameters), 0 where not counted. No
// graph.
at::Tensor token_cross_entropy(const at::Tensor& hidden_nw, const StackedWeight& head,
                               const at::Tensor& targets_n);

}  // namespace muonlab::ops
