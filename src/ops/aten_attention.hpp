// Attention over rotated rows by ATen's own kernels: on a GPU, and on processors for which we have
// none.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "ops/attention_kernel.hpp"

namespace muonlab::ops {

struct Attended {
  at::Tensor out;                 // [n, query width]
  std::vector<at::Tensor> saved;  // what its backward needs besides: our kernel's lse [b, heads, t]
};

// Where cuDNN's attention is known to be sound: causal without a mask, whole tiles of 128
// positions.
bool suits_cudnn(const AttentionShape& shape);

// rows [b * t, packed width] after norm and rotation, fp32 or bf16.
Attended attend_by_aten(const at::Tensor& rows, const AttentionShape& shape);
// The gradients of the rows' queries [n, queries head_dim], keys and values [n, keys head_dim].
struct AttentionGradients {
  at::Tensor query, key, value;
};
AttentionGradients attend_backward_by_aten(const at::Tensor& rows, const Attended& attended,
                                           const at::Tensor& d_out, const AttentionShape& shape);

}  // namespace muonlab::ops
