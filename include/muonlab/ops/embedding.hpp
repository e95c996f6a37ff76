// Rows of the embedding matrix.
#pragma once

#include <ATen/core/Tensor.h>

#include "muonlab/config/run.hpp"
#include "muonlab/tensor/parameter.hpp"

namespace muonlab::ops {

// tokens int64 [n] -> [n, w] in the parameter's dtype. Throws base::Error for an id outside the
// vocabulary. Fused: the backward adds to weight.grad, each row's contributions in the order of the
// tokens, whatever the threads.
at::Tensor embedding(config::Kernels kernels, const at::Tensor& tokens_n,
                     const tensor::Parameter& weight);

}  // namespace muonlab::ops
