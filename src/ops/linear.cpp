#include "muonlab/ops/linear.hpp"

#include <ATen/ATen.h>

namespace muonlab::ops {

at::Tensor linear(const at::Tensor& x_nc, const StackedWeight& weight) {
  return at::linear(x_nc.to(weight.compute()), weight.differentiable());
}

}  // namespace muonlab::ops
