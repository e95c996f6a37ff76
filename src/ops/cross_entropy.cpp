#include "muonlab/ops/cross_entropy.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"

namespace muonlab::ops {
namespace {

void check_targets(const at::Tensor& targets_n, int64_t vocabulary) {
  base::check(targets_n.scalar_type() == at::kLong && targets_n.is_contiguous(), "targets are contiguous int64");
  if (!targets_n.is_cpu()) return;
  const int64_t* targets = targets_n.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < targets_n.numel(); ++i) {
    if (targets[i] == kIgnoredTarget) continue;
    if (targets[i] < 0 || targets[i] >= vocabulary) {
      throw base::Error("target id ", targets[i], " at position ", i, " of the batch is outside the vocabulary of ",
                        vocabulary, "; the data and the model must use the same tokenizer");
    }
  }
}

at::Tensor to_loss_dtype(const at::Tensor& logits) {
  return logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
}

// Losses [n] in the loss dtype, 0 where not counted.
at::Tensor losses_reference(const at::Tensor& logits_nv, const at::Tensor& targets_n) {
  const at::Tensor counted = targets_n.ne(kIgnoredTarget);
  const at::Tensor safe = targets_n.masked_fill(counted.logical_not(), 0);
  const at::Tensor log_probabilities = at::log_softmax(to_loss_dtype(logits_nv), -1);
  const at::Tensor losses = -log_probabilities.gather(1, safe.unsqueeze(1)).squeeze(1);
  return losses.masked_fill(counted.logical_not(), 0);
}

}  // namespace

at::Tensor cross_entropy(const at::Tensor& hidden_nw, const StackedWeight& head, const at::Tensor& targets_n) {
  check_targets(targets_n, head.rows());
  const at::Tensor logits = at::linear(hidden_nw.to(head.compute()), head.differentiable());
  const int64_t num_counted = targets_n.ne(kIgnoredTarget).sum().item<int64_t>();
  return losses_reference(logits, targets_n).sum() / static_cast<double>(std::max<int64_t>(num_counted, 1));
}

at::Tensor token_cross_entropy(const at::Tensor& hidden_nw, const StackedWeight& head, const at::Tensor& targets_n) {
  at::NoGradGuard no_grad;
  check_targets(targets_n, head.rows());
  constexpr int64_t kChunk = 512;
  std::vector<at::Tensor> losses;
  for (int64_t start = 0; start < targets_n.size(0); start += kChunk) {
    const int64_t count = std::min(kChunk, targets_n.size(0) - start);
    const at::Tensor logits = at::linear(hidden_nw.narrow(0, start, count).to(head.compute()), head.shadow());
    losses.push_back(losses_reference(logits, targets_n.narrow(0, start, count)));
  }
  return at::cat(losses);
}

}  // namespace muonlab::ops
