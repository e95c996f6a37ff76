// The three matrix products of a linear map, by our own kernel where it is the fastest, by ATen's
// elsewhere and always for the path cuda. All operands are contiguous 2-D tensors of one dtype,
// fp32 or bf16; results do not depend on the number of threads.
#pragma once

#include <span>

#include <ATen/core/Tensor.h>

#include "muonlab/tensor/path.hpp"

namespace muonlab::ops {

// x [n, c], w [r, c] -> x w^T [n, r]
at::Tensor multiply_transposed(tensor::Path path, const at::Tensor& x, const at::Tensor& w);
// d_y [n, r], w [r, c] -> d_y w [n, c]; into `out` when it is given.
at::Tensor multiply_natural(tensor::Path path, const at::Tensor& d_y, const at::Tensor& w);
void multiply_natural_into(tensor::Path path, const at::Tensor& out, const at::Tensor& d_y,
                           const at::Tensor& w);
// sums[i] += (rows of) d_y^T x: d_y [n, r], x [n, c], fp32 sums of [r_i, c], r_0 + r_1 + … <= r.
void add_weight_gradient(tensor::Path path, std::span<const at::Tensor> sums, const at::Tensor& d_y,
                         const at::Tensor& x);

}  // namespace muonlab::ops
