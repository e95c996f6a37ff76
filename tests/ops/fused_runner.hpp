// Runs an operation fused and as its plain reference in double, and compares values and gradients.
#pragma once

#include <functional>
#include <string>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/gradient_check.hpp"
#include "support/parameters.hpp"

namespace muonlab::ops {

using support::normal;
using support::Tensors;
using tensor::Path;

// Largest error allowed, relative in the Euclidean norm.
inline double tolerance(at::ScalarType dtype) { return dtype == at::kBFloat16 ? 1e-2 : 2e-6; }

inline void expect_close(const at::Tensor& actual, const at::Tensor& expected, double limit,
                         const std::string& what) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  const at::Tensor a = actual.detach().to(at::kCPU, at::kDouble),
                   b = expected.detach().to(at::kDouble);
  EXPECT_LE((a - b).norm().item<double>(), limit * std::max(b.norm().item<double>(), 1e-12))
      << what;
}

// A function of activations (rounded to dtype, then leaves) and parameters; runs fused and, on
// doubles of the very same numbers, plain; compares outputs, gradients of activations and of
// parameters.
struct Runner {
  using Body =
      std::function<Tensors(Path, const Tensors&, std::vector<tensor::Parameter>&, at::ScalarType)>;
  Body body;
  Path path = Path::cpu;  // the one that is tested, and where
  at::Device device = at::kCPU;

  struct Result {
    Tensors outputs, input_grads, parameter_grads;
  };

  Result run(Path path, const Tensors& inputs, const Tensors& parameters,
             at::ScalarType dtype) const {
    const bool is_reference = path == Path::reference;
    const auto made = [&](const at::Tensor& x) {
      return is_reference ? x.to(at::kDouble) : x.to(device);
    };
    Tensors leaves;
    for (const at::Tensor& x : inputs)
      leaves.push_back(made(x).clone().detach().set_requires_grad(true));
    std::vector<tensor::Parameter> weights;
    for (const at::Tensor& p : parameters) weights.push_back(support::parameter(made(p)));
    // The fused attention overwrites its input, which therefore cannot be a leaf.
    Tensors arguments;
    for (const at::Tensor& x : leaves) arguments.push_back(x * 1);
    Result result;
    result.outputs = body(path, arguments, weights, is_reference ? at::kDouble : dtype);
    at::Tensor total;
    for (const at::Tensor& y : result.outputs) {
      const at::Tensor part = support::weighted_sum(y.to(at::kCPU, at::kDouble));
      total = total.defined() ? total + part : part;
    }
    total.backward();
    for (const at::Tensor& x : leaves) result.input_grads.push_back(x.grad());
    for (const tensor::Parameter& p : weights) {
      EXPECT_EQ(p.value.grad().const_data_ptr(), p.grad.const_data_ptr());
      result.parameter_grads.push_back(p.grad.clone());
    }
    return result;
  }

  void check(const Tensors& inputs, const Tensors& parameters, at::ScalarType dtype,
             double factor = 1.0) const {
    const double limit = tolerance(dtype) * factor;
    const Result fused = run(path, inputs, parameters, dtype);
    const Result plain = run(Path::reference, inputs, parameters, dtype);
    for (size_t i = 0; i < plain.outputs.size(); ++i) {
      expect_close(fused.outputs[i], plain.outputs[i], limit, "output " + std::to_string(i));
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      ASSERT_TRUE(fused.input_grads[i].defined());
      expect_close(fused.input_grads[i], plain.input_grads[i], limit,
                   "gradient of input " + std::to_string(i));
    }
    for (size_t i = 0; i < parameters.size(); ++i) {
      expect_close(fused.parameter_grads[i], plain.parameter_grads[i], limit,
                   "gradient of parameter " + std::to_string(i));
    }
    const Result again = run(path, inputs, parameters, dtype);
    for (size_t i = 0; i < inputs.size(); ++i)
      EXPECT_TRUE(at::equal(fused.input_grads[i], again.input_grads[i]));
    for (size_t i = 0; i < parameters.size(); ++i) {
      EXPECT_TRUE(at::equal(fused.parameter_grads[i], again.parameter_grads[i]));
    }
  }
};

constexpr at::ScalarType kDtypes[] = {at::kFloat, at::kBFloat16};

}  // namespace muonlab::ops
