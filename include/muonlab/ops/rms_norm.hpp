// The residual sum and RMSNorm (Zhang & Sennrich, arXiv 1910.07467).
#pragma once

#include <ATen/core/Tensor.h>

#include "muonlab/tensor/parameter.hpp"
#include "muonlab/tensor/path.hpp"

namespace muonlab::ops {

// x / sqrt(mean(x^2) + eps) * gain over the last dimension, in x's dtype; an undefined gain is one.
at::Tensor rms_norm_reference(const at::Tensor& x, const at::Tensor& gain, double eps);

struct Normed {
  at::Tensor
      residual_nw;  // residual + branch, in the residual's dtype (fp32; double in gradient checks)
  at::Tensor normed_nw;  // its RMSNorm, in the compute dtype
};

// residual [n, w]; branch [n, w] in any floating dtype, or undefined for none; gain [w].
// Fused: the gain's gradient is added to gain.grad by the backward itself.
Normed add_norm(tensor::Path path, const at::Tensor& residual_nw, const at::Tensor& branch_nw,
                const tensor::Parameter& gain, double eps, at::ScalarType compute);

}  // namespace muonlab::ops
