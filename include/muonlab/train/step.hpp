// One step of training, and what it measured.
#pragma once

#include <cstdint>
#include <vector>

#include "muonlab/train/trainer.hpp"

namespace muonlab::train {

// Everything but the seconds is a function of config, seed and thread count.
struct StepRecord {
  int64_t step = 0;
  int64_t tokens = 0;          // trained on so far
  double loss = 0;             // mean over the step's tokens, nats
  double grad_norm = 0;        // global, before clipping
  std::vector<double> lr{};    // in the order of Optimizer::names()
  int64_t clipped_heads = -1;  // by train.qk_clip, in all layers; -1: it is off
  double forward_s = 0, backward_s = 0, optimizer_s = 0, total_s = 0;
};

// One update: micro-batches forward and backward, gradient norm, clipping, optimizers. Throws
// NonFinite before the update, with weights and optimizer state untouched.
StepRecord train_step(Trainer& trainer);

}  // namespace muonlab::train
