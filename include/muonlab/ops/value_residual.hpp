// Value residuals (ResFormer, arXiv 2410.17897): the attention of a later layer mixes the values of
// the first layer into its own, (1 - share) v + share v_first.
#pragma once

#include <ATen/core/Tensor.h>

#include "muonlab/ops/attention_spec.hpp"
#include "muonlab/tensor/parameter.hpp"
#include "muonlab/tensor/path.hpp"

namespace muonlab::ops {

// The values of packed rows [n, packed width], in memory of their own: [n, key width].
at::Tensor values_of(const at::Tensor& qkv, const Heads& heads);

// The packed rows with mixed values. share [1] is in the parameters' dtype and the mixing is
// computed in it; without a grad it is fixed. Fused: works in qkv itself, and the backward adds the
// gradient of the share to its grad.
at::Tensor mix_values(tensor::Path path, const at::Tensor& qkv, const at::Tensor& first_nk,
                      const tensor::Parameter& share, const Heads& heads);

}  // namespace muonlab::ops
