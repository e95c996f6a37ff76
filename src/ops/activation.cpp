#include "muonlab/ops/activation.hpp"

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"

namespace muonlab::ops {

at::Tensor activation_reference(const at::Tensor& x, config::Activation activation) {
  switch (activation) {
    case config::Activation::silu:
      return at::silu(x);
    case config::Activation::gelu:
      return at::gelu(x);
    case config::Activation::relu2: {
      const at::Tensor positive = at::relu(x);
      return positive * positive;
    }
  }
  throw base::Bug("unknown activation");
}

at::Tensor activate(config::Kernels /*kernels*/, const at::Tensor& x, config::Activation activation, bool gated) {
  const at::Tensor wide = x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
  if (!gated) return activation_reference(wide, activation).to(x.scalar_type());
  const int64_t width = x.size(1) / 2;
  const at::Tensor active = activation_reference(wide.narrow(1, 0, width), activation);
  return (active * wide.narrow(1, width, width)).to(x.scalar_type());
}

}  // namespace muonlab::ops
