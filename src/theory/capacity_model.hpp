// An associative memory with Gaussian embeddings: facts i with frequencies p_i, keys v_i and
// objects u_i in d dimensions, logits u_kᵀ W v_i, cross-entropy weighted by frequency.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace muonlab::theory {

class GaussianMemory {
 public:
  // Embeddings N(0, I/d). Facts are ordered by frequency, the most frequent first.
  GaussianMemory(int64_t width, int64_t facts, double alpha, int64_t seed);

  int64_t width() const { return objects_.size(0); }
  int64_t facts() const { return objects_.size(1); }
  double frequency(int64_t i) const { return p_[i].item<double>(); }
  const at::Tensor& frequencies() const { return p_; }

  // Minus the gradient of the loss at W = 0, for facts weighted by q (their frequencies, or shares
  // of a batch).
  at::Tensor descent_at_zero(const at::Tensor& q) const;
  // Minus the gradient at W; facts weighted by q.
  at::Tensor descent(const at::Tensor& weights, const at::Tensor& q) const;
  // sum_i p_i v_i v_iᵀ, the Hessian's factor on the keys' side at W = 0.
  at::Tensor key_moment() const;
  // Of the first `count` facts: whether the largest logit is their own, bool [count].
  at::Tensor recovered(const at::Tensor& weights, int64_t count) const;
  double loss(const at::Tensor& weights) const;
  // Shares of the facts in a batch of `samples` drawn with replacement. tick() is called several
  // times a second.
  at::Tensor sampled(
      int64_t samples, int64_t seed, const std::function<void()>& tick = [] {}) const;

 private:
  at::Tensor objects_, keys_, p_;  // [d, n], [d, n], [n]
};

}  // namespace muonlab::theory
