// QK-clip (MuonClip, arXiv 2507.20534): after a step the q and k of a head whose attention logits
// went above a threshold are scaled down. Momentum is left alone.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/train/trainer.hpp"

namespace muonlab::train {

// For one step. Does nothing where train.qk_clip is 0.
class QkClip {
 public:
  explicit QkClip(Trainer& trainer) : trainer_(trainer) {}
  // Takes in the largest logits on a micro-batch, by a forward pass with the weights of now.
  void see(const at::Tensor& tokens_bt);
  // With S the largest logit of a head and T the threshold: where S > T, q <- q sqrt(T / S), and k
  // <- k sqrt(T / S) with the largest S of the query heads that share it. Returns the number of
  // query heads with S > T, or -1 where it is off. Throws base::NonFinite for a logit that is not
  // finite.
  int64_t apply();

 private:
  double threshold() const { return trainer_.config.train.qk_clip; }

  Trainer& trainer_;
  std::vector<at::Tensor> largest_;  // of the layers: double [query heads]
};

}  // namespace muonlab::train
