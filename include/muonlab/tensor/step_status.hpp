// What a step on a GPU knows about itself, in the GPU's memory: kernels write and read it, and the
// host reads it when the step is over. No LibTorch here, so that nvcc can read it.
#pragma once

namespace muonlab::tensor {

// As a tensor: double [4].
struct StepStatus {
  double loss;         // mean over the step's tokens, nats
  double grad_norm;    // global, before clipping
  double clip_factor;  // what the gradients are multiplied by: 1 unless they are clipped
  double finite;       // 1, or 0 where loss or norm is not finite: the update then does nothing
};
inline constexpr int kStepStatusNumbers = 4;

}  // namespace muonlab::tensor
