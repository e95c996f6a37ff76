// Bias, soft cap and z-loss around a softmax that knows none of them: the same few passes over a
// chunk of logits on every path.
#pragma once

#include "muonlab/ops/cross_entropy.hpp"

namespace muonlab::ops {

// logits [n, v] with a graph or without -> capped.
at::Tensor cap_logits(const at::Tensor& logits, const LogitOptions& options);

// A chunk of logits on the way from the head's product to its gradient; leaves all alone where the
// head has no bias and the options ask for nothing. The gradients are those of a mean over the
// targets that are counted.
class HeadLogits {
 public:
  // Adds the bias to logits [n, v or more] and caps them, in place. targets [n]; with a graph the
  // gradients will be wanted.
  HeadLogits(const at::Tensor& logits, const at::Tensor& targets, const StackedWeight& head,
             const LogitOptions& options, bool with_graph);
  // logits are now the cross-entropy's gradients with respect to the capped logits, times `share`,
  // 0-d; losses [n] its values. Makes them the gradients with respect to the head's product, and
  // adds their sum over the rows to d_bias [v] where it is defined.
  void finish(const at::Tensor& losses, const at::Tensor& share, const at::Tensor& d_bias) const;

 private:
  void add_z_loss(const at::Tensor& losses, const at::Tensor& share) const;

  LogitOptions options_;
  at::Tensor logits_;  // [n, v], without what pads the rows
  at::Tensor capped_, counted_, places_, at_targets_;
};

}  // namespace muonlab::ops
