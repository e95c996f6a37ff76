// Names and signatures of the operators, without a GPU: stand-ins on the CPU, registered as the
// plugin registers its kernels, must be reached by the functions that the program calls.
#include "cuda/operators.hpp"

#include <string>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace muonlab::cuda {
namespace {

using Optional = std::optional<at::Tensor>;

std::string called;  // which stand-in, and what it was given beside tensors

struct StandIns {
  static void adamw_(const at::Tensor& values, const at::Tensor&, const at::Tensor&,
                     const at::Tensor&, const Optional& shadow, double lr, double beta1,
                     double beta2, double eps, double decay, int64_t age) {
    values.fill_(7);
    called = "adamw_ " + std::to_string(shadow.has_value()) + " " +
             std::to_string(lr + 10 * beta1 + 100 * beta2 + 1000 * eps + 10000 * decay) + " " +
             std::to_string(age);
  }
  static std::tuple<at::Tensor, at::Tensor> rms_norm(const at::Tensor& x, const Optional& gain,
                                                     double eps, at::ScalarType compute) {
    called = "rms_norm " + std::to_string(gain.has_value()) + " " + std::to_string(eps);
    return {x.to(compute), x};
  }
  static std::tuple<at::Tensor, at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& residual,
                                                                     const at::Tensor& branch,
                                                                     const Optional&, double,
                                                                     at::ScalarType compute) {
    called = "add_rms_norm";
    return {residual + branch, residual.to(compute), branch};
  }
  static at::Tensor rms_norm_backward(const at::Tensor& grad_normed, const Optional&,
                                      const at::Tensor&, const at::Tensor&, const Optional&,
                                      const Optional&) {
    called = "rms_norm_backward";
    return grad_normed;
  }
  static at::Tensor swiglu(const at::Tensor& x) {
    called = "swiglu";
    return x;
  }
  static at::Tensor swiglu_backward(const at::Tensor& grad_out, const at::Tensor&) {
    called = "swiglu_backward";
    return grad_out;
  }
};

TEST(CudaOperators, AreCalledAsTheyAreRegistered) {
  namespace plugin = tensor::plugin;
  if (plugin::load().empty()) GTEST_SKIP() << "the plugin itself is loaded";
  torch::Library library(torch::Library::DEF, "muonlab", std::nullopt, __FILE__, __LINE__);
  define_operators<StandIns>(library, c10::DispatchKey::CPU);
  const at::Tensor x = at::ones({2, 4}), y = at::zeros({2, 4});
  plugin::adamw_(y, x, x, x, x, 1, 2, 3, 4, 5, 6);
  EXPECT_EQ(called, "adamw_ 1 54321.000000 6");
  EXPECT_EQ(y[0][0].item<float>(), 7.0f);
  plugin::adamw_(y, x, x, x, std::nullopt, 1, 2, 3, 4, 5, 6);
  EXPECT_EQ(called, "adamw_ 0 54321.000000 6");
  EXPECT_EQ(std::get<0>(plugin::rms_norm(x, x, 0.5, at::kBFloat16)).scalar_type(), at::kBFloat16);
  EXPECT_EQ(called, "rms_norm 1 0.500000");
  EXPECT_TRUE(at::equal(std::get<0>(plugin::add_rms_norm(x, x, {}, 0.5, at::kFloat)), x + x));
  EXPECT_EQ(called, "add_rms_norm");
  EXPECT_TRUE(at::equal(plugin::rms_norm_backward(x, {}, x, x, x, y), x));
  EXPECT_EQ(called, "rms_norm_backward");
  plugin::swiglu(x);
  EXPECT_EQ(called, "swiglu");
  plugin::swiglu_backward(x, x);
  EXPECT_EQ(called, "swiglu_backward");
}

}  // namespace
}  // namespace muonlab::cuda
