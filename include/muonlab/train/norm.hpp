// The global norm of the gradients.
#pragma once

#include <ATen/core/Tensor.h>

namespace muonlab::train {

// Euclidean norm of a flat tensor, summed in double over fixed blocks: the same bits for any number
// of threads.
double global_norm(const at::Tensor& flat);

}  // namespace muonlab::train
