// Rows of the embedding matrix.
#pragma once

#include <ATen/core/Tensor.h>

#include "muonlab/tensor/parameter.hpp"
#include "muonlab/tensor/path.hpp"

namespace muonlab::ops {

// tokens int64 [n] -> [n, w] in the parameter's dtype. Throws base::Error for an id outside the
// vocabulary. Fused: the backward adds to weight.grad, each row's contributions in the order of the
// tokens, whatever the threads.
at::Tensor embedding(tensor::Path path, const at::Tensor& tokens_n,
                     const tensor::Parameter& weight);

}  // namespace muonlab::ops
