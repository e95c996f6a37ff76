#include "muonlab/ops/rms_norm.hpp"

#include <ATen/ATen.h>

namespace muonlab::ops {

at::Tensor rms_norm_reference(const at::Tensor& x, const at::Tensor& gain, double eps) {
  const at::Tensor normed = x * at::rsqrt(at::mean(x * x, -1, /*keepdim=*/true) + eps);
  return gain.defined() ? normed * gain : normed;
}

Normed add_norm(config::Kernels /*kernels*/, const at::Tensor& residual_nw, const at::Tensor& branch_nw,
                const tensor::Parameter& gain, double eps, at::ScalarType compute) {
  Normed out;
  out.residual_nw =
      branch_nw.defined() ? residual_nw + branch_nw.to(residual_nw.scalar_type()) : residual_nw;
  out.normed_nw = rms_norm_reference(out.residual_nw, gain.value, eps).to(compute);
  return out;
}

}  // namespace muonlab::ops
