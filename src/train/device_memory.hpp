// The memory that a run on the path cuda takes on its GPU.
#pragma once

#include "muonlab/train/plan.hpp"

namespace muonlab::train {

// Bytes at the peak, from the tensors that the step keeps: weights, gradients, moments and copies
// in bf16; what the backward of a micro-batch needs; the largest of what exists for a moment.
// REQUIRES: plan.micro_batch and context are set.
double device_memory_bytes(const config::RunConfig& run, const Plan& plan);

}  // namespace muonlab::train
