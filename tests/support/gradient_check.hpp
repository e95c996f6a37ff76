// Analytic gradients against central differences, in double.
#pragma once

#include <cmath>
#include <functional>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace muonlab::support {

using Tensors = std::vector<at::Tensor>;
using Function = std::function<at::Tensor(const Tensors&)>;

// A fixed, uneven weighting of an output, so that no gradient cancels by symmetry.
inline at::Tensor weighted_sum(const at::Tensor& y) {
  const at::Tensor index = at::arange(y.numel(), at::kDouble).to(y.scalar_type()).view(y.sizes());
  return (y * at::cos(index * 0.7 + 0.3)).sum();
}

// Independent leaves with the same values.
inline Tensors leaves(const Tensors& inputs) {
  Tensors copies;
  for (const at::Tensor& input : inputs)
    copies.push_back(input.detach().clone().set_requires_grad(true));
  return copies;
}

// Fails the test where an analytic gradient of weighted_sum(f(inputs)) differs from (f(x + h) - f(x
// - h)) / 2h by more than `tolerance` of the largest gradient of that input. The inputs are double.
inline void check_gradients(const Function& f, const Tensors& inputs, double tolerance = 1e-7,
                            double h = 1e-5) {
  const Tensors x = leaves(inputs);
  const Tensors analytic =
      torch::autograd::grad({weighted_sum(f(x))}, x, {}, /*retain_graph=*/std::nullopt,
                            /*create_graph=*/false, /*allow_unused=*/true);
  for (size_t k = 0; k < x.size(); ++k) {
    ASSERT_EQ(x[k].scalar_type(), at::kDouble);
    ASSERT_TRUE(analytic[k].defined()) << "input " << k << " got no gradient";
    at::NoGradGuard no_grad;
    at::Tensor numeric = at::empty_like(x[k]);
    double* value = x[k].mutable_data_ptr<double>();
    double* slope = numeric.mutable_data_ptr<double>();
    for (int64_t i = 0; i < x[k].numel(); ++i) {
      const double middle = value[i];
      value[i] = middle + h;
      const double above = weighted_sum(f(x)).item<double>();
      value[i] = middle - h;
      const double below = weighted_sum(f(x)).item<double>();
      value[i] = middle;
      slope[i] = (above - below) / (2 * h);
    }
    const double largest = numeric.abs().max().item<double>();
    EXPECT_GT(largest, 1e-8) << "input " << k << ": a gradient of zero proves nothing";
    const double error = (analytic[k] - numeric).abs().max().item<double>();
    EXPECT_LE(error, tolerance * std::max(largest, 1e-3))
        << "input " << k << " of shape " << x[k].sizes();
  }
}

// The same for the gradient itself: f must be twice differentiable (Hessian-vector products).
inline void check_second_gradients(const Function& f, const Tensors& inputs,
                                   double tolerance = 1e-6) {
  const Function gradient = [&f](const Tensors& x) {
    at::AutoGradMode with_graph(true);
    Tensors alive = x;
    for (at::Tensor& input : alive) {
      if (!input.requires_grad()) input = input.detach().set_requires_grad(true);
    }
    const Tensors grads = torch::autograd::grad({weighted_sum(f(alive))}, alive, {},
                                                /*retain_graph=*/true, /*create_graph=*/true);
    Tensors flat;
    for (const at::Tensor& grad : grads) flat.push_back(grad.reshape(-1));
    return at::cat(flat);
  };
  check_gradients(gradient, inputs, tolerance);
}

// max |a - b| / max |b|, both in double.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wide = b.detach().to(at::kDouble);
  const double scale = wide.abs().max().item<double>();
  const double error = (a.detach().to(at::kDouble) - wide).abs().max().item<double>();
  return scale > 0 ? error / scale : error;
}

}  // namespace muonlab::support
