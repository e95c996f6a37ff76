// The operators as the program calls them, on a GPU: what the host's tests cannot reach is the
// launch, the sum over a block's threads and the registration. Skipped, with the reason, where
// there is no GPU.
#include <optional>
#include <tuple>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "cuda/host_grid.hpp"
#include "muonlab/tensor/plugin.hpp"
#include "support/gradient_check.hpp"
#include "support/parameters.hpp"

namespace muonlab::cuda {
namespace {

namespace plugin = tensor::plugin;
using support::normal;
using support::relative_error;

class CudaDevice : public testing::Test {
 protected:
  void SetUp() override {
    const std::string problem = plugin::load();
    if (!problem.empty()) GTEST_SKIP() << problem;
  }
};

at::Tensor there(const at::Tensor& x) { return x.to(at::kCUDA); }
at::Tensor here(const at::Tensor& x) { return x.to(at::kCPU); }

double tolerance_of(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? tolerance<Bf16>() : 4e-6;
}

TEST_F(CudaDevice, AdamWEqualsTheHostsBody) {
  for (const int64_t n : {5, 4096, 100003}) {
    const at::Tensor start = normal({n}, 1), grads = normal({n}, 2);
    const at::Tensor values = start.clone(), first = at::zeros({n}), second = at::zeros({n});
    const at::Tensor shadow = poisoned<Bf16>({n});
    const at::Tensor device_values = there(start), device_first = there(first),
                     device_second = there(second);
    const at::Tensor device_shadow = there(shadow);
    for (int64_t step = 1; step <= 3; ++step) {
      const AdamWFactors factors = adamw_factors(1e-2, 0.8, 0.95, 1e-8, 0.1, step);
      const AdamW body{.values = data<float>(values),
                       .grads = data<float>(grads),
                       .exp_avg = data<float>(first),
                       .exp_avg_sq = data<float>(second),
                       .shadow = data<Bf16>(shadow),
                       .count = n,
                       .factors = &factors,
                       .status = nullptr};
      run_grid(body, 1, 32, 4, 0);
      const at::Tensor numbers =
          at::tensor({factors.keep, factors.step_size, factors.mix1, factors.beta2, factors.mix2,
                      factors.root_correction, factors.eps});
      const at::Tensor status = at::ones({4}, at::kDouble);
      plugin::adamw_(device_values, there(grads), device_first, device_second, device_shadow,
                     there(numbers), there(status));
    }
    EXPECT_LT(relative_error(here(device_values), values), 1e-6) << n;
    EXPECT_LT(relative_error(here(device_first), first), 1e-6) << n;
    EXPECT_LT(relative_error(here(device_second), second), 1e-6) << n;
    EXPECT_TRUE(at::equal(device_shadow, device_values.to(at::kBFloat16))) << n;
  }
}

TEST_F(CudaDevice, RmsNormAgrees) {
  constexpr double kEps = 1e-5;
  for (const int64_t width : {7, 64, 384, 1021, 4096, 12004}) {
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      const int64_t rows = 1030;  // more than the blocks that sum the gain's gradient
      const at::Tensor residual = normal({rows, width}, 1),
                       branch = normal({rows, width}, 2).to(dtype);
      const at::Tensor gain = normal({width}, 3) + 1, grad = normal({rows, width}, 4).to(dtype);
      const at::Tensor above = normal({rows, width}, 5);
      const auto [sum, normed, inv_rms] =
          plugin::add_rms_norm(there(residual), there(branch), there(gain), kEps, dtype);
      const at::Tensor grad_gain = at::zeros({width}, sum.options());
      const at::Tensor grad_x = plugin::rms_norm_backward(there(grad), there(above), sum, inv_rms,
                                                          there(gain), grad_gain, std::nullopt);

      const at::Tensor x = (residual + branch.to(at::kFloat)).to(at::kDouble).requires_grad_(true);
      const at::Tensor g = gain.to(at::kDouble).requires_grad_(true);
      const at::Tensor exact = x / (x.pow(2).mean(-1, true) + kEps).sqrt() * g;
      const auto gradients = torch::autograd::grad({exact}, {x, g}, {grad.to(at::kDouble)});
      EXPECT_TRUE(at::equal(here(sum), residual + branch.to(at::kFloat)));
      EXPECT_LT(relative_error(here(normed), exact), tolerance_of(dtype)) << width;
      EXPECT_LT(relative_error(here(grad_x), gradients[0] + above.to(at::kDouble)), 8e-6) << width;
      EXPECT_LT(relative_error(here(grad_gain), gradients[1]), 2e-5) << width;

      const auto [alone, ignored] = plugin::rms_norm(sum, there(gain), kEps, dtype);
      EXPECT_TRUE(at::equal(alone, normed)) << width;
    }
  }
}

TEST_F(CudaDevice, GatedSiluAgrees) {
  for (const int64_t width : {1, 31, 352, 4096}) {
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      const at::Tensor x = (normal({130, 2 * width}, 1) * 3).to(dtype),
                       grad = normal({130, width}, 2).to(dtype);
      const at::Tensor exact_x = x.to(at::kDouble).requires_grad_(true);
      const at::Tensor exact =
          at::silu(exact_x.narrow(1, 0, width)) * exact_x.narrow(1, width, width);
      const auto gradients = torch::autograd::grad({exact}, {exact_x}, {grad.to(at::kDouble)});
      EXPECT_LT(relative_error(here(plugin::activate(there(x), kSilu, true)), exact),
                tolerance_of(dtype))
          << width;
      EXPECT_LT(relative_error(here(plugin::activate_backward(there(grad), there(x), kSilu, true)),
                               gradients[0]),
                tolerance_of(dtype))
          << width;
    }
  }
}

TEST_F(CudaDevice, WrongArgumentsAreRefused) {
  const at::Tensor x = at::ones({4, 8}, at::kCUDA);
  EXPECT_THROW(plugin::activate(x.t(), kSilu, true), c10::Error);
  EXPECT_THROW(plugin::activate(x.to(at::kDouble), kSilu, true), c10::Error);
  EXPECT_THROW(plugin::rms_norm(x, at::ones({7}, at::kCUDA), 1e-5, at::kFloat), c10::Error);
  EXPECT_THROW(plugin::rms_norm(x, at::ones({8}), 1e-5, at::kFloat), c10::Error);
}

}  // namespace
}  // namespace muonlab::cuda
