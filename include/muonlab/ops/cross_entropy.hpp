// The head and the cross-entropy behind it, without the full table of logits.
#pragma once

#include <ATen/core/Tensor.h>

#include "muonlab/config/model.hpp"
#include "muonlab/ops/stacked_weight.hpp"

namespace muonlab::ops {

// A target of this value is not counted.
inline constexpr int64_t kIgnoredTarget = -100;

// What becomes of the head's products before the softmax, and what is minimized besides the
// cross-entropy.
struct LogitOptions {
  double cap = 0;  // soft cap; 0: none
  config::CapForm form = config::CapForm::tanh;
  double z_loss = 0;  // weight of the mean of ln(Z)^2
};

// hidden [n, w], head [v, w] -> logits [n, v], with its bias and capped, in the head's compute
// dtype or double, or in fp32 where there is a cap. with_graph: by the plain composed operations.
at::Tensor head_logits(const at::Tensor& hidden_nw, const StackedWeight& head,
                       const LogitOptions& options, bool with_graph);

// hidden [n, w] in any floating dtype, head [v, w], targets int64 [n] -> mean cross-entropy in nats
// over the counted targets, 0-d, fp32 (double for double parameters); 0 when none is counted.
// The z-loss is in the gradients alone, not in the value. Throws base::Error for a target outside
// the vocabulary. Fused: the logits exist for one chunk of
// tokens at a time; with a graph, the gradients of hidden and head are made in the forward already
// and scaled in the backward, which adds the head's to its parameter's grad.
at::Tensor cross_entropy(const at::Tensor& hidden_nw, const StackedWeight& head,
                         const at::Tensor& targets_n, const LogitOptions& options = {});

// Cross-entropy of each target, fp32 [n] (double for double parameters), 0 where not counted. No
// graph.
at::Tensor token_cross_entropy(const at::Tensor& hidden_nw, const StackedWeight& head,
                               const at::Tensor& targets_n, const LogitOptions& options = {});

}  // namespace muonlab::ops
