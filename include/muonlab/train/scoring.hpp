// What a model gives to the tokens of texts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "muonlab/model/model.hpp"

namespace muonlab::train {

// How texts longer than the context are read: a window of `context` tokens moves on by `stride`
// tokens, and gives the losses of those that it reads for the first time. Each then has at least
// context - stride tokens before it, if the text has so many.
struct Windows {
  int64_t context = 256;
  int64_t stride = 256;          // 1 … context
  int64_t batch = 8;             // windows a forward pass
  at::Device device = at::kCPU;  // the model's
};

using Ids = std::vector<int32_t>;

// For each sequence, the cross-entropy in nats of its tokens 1, 2, … given those before them: one
// number fewer than it has tokens. Throws NonFinite.
std::vector<std::vector<float>> sequence_losses(model::Model& model,
                                                const std::vector<Ids>& sequences,
                                                const Windows& windows);

}  // namespace muonlab::train
