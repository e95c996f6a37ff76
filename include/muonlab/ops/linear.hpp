// y = x W^T + b.
#pragma once

#include <ATen/core/Tensor.h>

#include "muonlab/ops/stacked_weight.hpp"

namespace muonlab::ops {

// x [n, c] in any floating dtype -> [n, r] in the weight's compute dtype. Fused: the weight's
// and the bias's
// gradients are added to the parameters' grad by the backward itself, and autograd gets none for
// them.
at::Tensor linear(const at::Tensor& x_nc, const StackedWeight& weight);

}  // namespace muonlab::ops
