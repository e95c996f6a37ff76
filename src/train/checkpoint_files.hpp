// What saving and loading a checkpoint share.
#pragma once

#include <vector>

#include "muonlab/config/run.hpp"
#include "muonlab/tensor/parameter.hpp"

namespace muonlab::train {

inline constexpr const char* kOptimizerFile = "optimizer.safetensors";
inline constexpr const char* kAverageFile = "average.safetensors";

// Contiguous and in CPU memory; on a CPU what is contiguous stays where it is.
std::vector<tensor::NamedTensor> on_cpu(std::vector<tensor::NamedTensor> tensors);

// Hugging Face's only architecture with QK-norm (Qwen3) has gains: without gain the file holds ones
// for them.
void append_unit_gains(const config::ModelConfig& model, std::vector<tensor::NamedTensor>& values);

}  // namespace muonlab::train
