// The nonlinearity of the feed-forward layer.
#pragma once

#include <ATen/core/Tensor.h>

#include "muonlab/config/model.hpp"
#include "muonlab/tensor/path.hpp"

namespace muonlab::ops {

// silu: x sigmoid(x); gelu: x Phi(x) with the exact normal distribution; relu2: max(x, 0)^2;
// gelu_tanh: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
at::Tensor activation_reference(const at::Tensor& x, config::Activation activation);

// gated: x [n, 2 f] = [in | gate] -> act(in) * gate, [n, f]; plain: x [n, f] -> act(x). Computed in
// fp32, result in x's dtype.
at::Tensor activate(tensor::Path path, const at::Tensor& x, config::Activation activation,
                    bool gated);

}  // namespace muonlab::ops
