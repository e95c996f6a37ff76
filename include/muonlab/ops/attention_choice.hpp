// Which of LibTorch's attention kernels a GPU runs in bf16.
#pragma once

#include <string>

#include <c10/core/Device.h>

#include "muonlab/config/run.hpp"

namespace muonlab::ops {

enum class GpuAttention { flash, cudnn };

// The one in use, for the whole process. Flash attention until another is chosen; the environment
// variable MUONLAB_ATTENTION ("flash" or "cudnn") decides before any measurement.
GpuAttention gpu_attention();
const char* gpu_attention_name(GpuAttention attention);

// What was seen of cuDNN's attention beside flash attention at one shape.
struct AttentionTrial {
  double flash_s = 0, cudnn_s = 0;  // forward and backward
  bool same_bits = false;           // its gradients, each time
  bool agrees = false;              // with flash attention's result and gradients
};
// cuDNN's where it is sound and clearly faster, so that equal runs choose alike.
GpuAttention better_attention(const AttentionTrial& trial);

// Measures both at the shape of `run`'s micro-batch, takes the better one from here on and says
// what was measured. Empty where there is no choice: in fp32, on a processor, on a GPU whose flash
// attention is known to be the faster one. REQUIRES: a resolved configuration.
std::string choose_gpu_attention(const config::RunConfig& run, at::Device device);

}  // namespace muonlab::ops
