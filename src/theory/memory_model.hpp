// The one-layer associative memory of arXiv 2509.26030, section 4: K facts with orthonormal key
// embeddings E and object embeddings E~ (d = K), logits E~ᵀ W E, cross-entropy weighted by the
// facts' frequencies.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace muonlab::theory {

// The paper's two choices: E = E~ = I, and blocks of rotations by fixed Euler angles.
enum class MemoryEmbedding { decoupled, coupled };

class MemoryModel {
 public:
  // p: frequencies of the facts. Coupled needs a number of facts divisible by 3.
  MemoryModel(const std::vector<double>& p, MemoryEmbedding embedding);

  // Matrices are stored transposed, so that what belongs to a key is contiguous: weights are
  // Wᵀ [d, d], logits are [key, object]. All update rules commute with this.
  at::Tensor logits(const at::Tensor& weights) const;
  // Of the loss with respect to Wᵀ, from the logits.
  at::Tensor gradient(const at::Tensor& logits) const;

  struct Measure {
    double loss;
    double imbalance;  // Delta: difference of the largest and the least correct probability
    double least;      // correct probability of the worst fact
  };
  Measure measure(const at::Tensor& logits) const;
  int64_t num_facts() const { return p_.size(0); }

 private:
  at::Tensor p_;
  at::Tensor object_block_, key_block_;  // undefined: the identity
};

// Rotations of the coupled embedding, 3 x 3: E~ = I ⊗ objects, E = I ⊗ keys.
struct CoupledRotations {
  at::Tensor objects, keys;
};
CoupledRotations coupled_rotations();
// The sign of the coupled gradient at W = 0 is I ⊗ A + J ⊗ B (the paper's matrices), J all ones.
struct CoupledSign {
  at::Tensor a, b;
};
CoupledSign coupled_sign();

}  // namespace muonlab::theory
