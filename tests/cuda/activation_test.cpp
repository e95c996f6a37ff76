// The kernels' bodies against composed operations in double and their gradients.
#include <cmath>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "cuda/host_grid.hpp"
#include "support/gradient_check.hpp"
#include "support/parameters.hpp"

namespace muonlab::cuda {
namespace {

using support::normal;
using support::relative_error;

at::Tensor active(const at::Tensor& a, int kind) {
  if (kind == kSilu) return a / (1 + at::exp(-a));
  if (kind == kGelu) return a * 0.5 * (1 + at::erf(a / std::sqrt(2.0)));
  if (kind == kGeluTanh) return at::gelu(a, "tanh");
  return at::relu(a) * at::relu(a);
}

at::Tensor composed(const at::Tensor& x, int kind, bool gated) {
  if (!gated) return active(x, kind);
  const int64_t width = x.size(1) / 2;
  return active(x.narrow(1, 0, width), kind) * x.narrow(1, width, width);
}

template <class Number>
void agrees(int kind, bool gated, int64_t rows, int64_t width, int size) {
  const at::Tensor x = (normal({rows, (gated ? 2 : 1) * width}, 1) * 3).to(type_of<Number>());
  const at::Tensor grad = normal({rows, width}, 2).to(type_of<Number>());
  const at::Tensor out = poisoned<Number>({rows, width}), grad_x = poisoned<Number>(x.sizes());
  const int lanes = lanes_for(width, size);
  run_grid(ActivationForward<Number>{data<Number>(x), data<Number>(out), rows, width, kind, gated},
           2, lanes, size, 0);
  run_grid(ActivationBackward<Number>{data<Number>(grad), data<Number>(x), data<Number>(grad_x),
                                      rows, width, kind, gated},
           3, lanes, size, 0);

  const at::Tensor exact_x = x.to(at::kDouble).requires_grad_(true);
  const at::Tensor expected = composed(exact_x, kind, gated);
  const auto gradients = torch::autograd::grad({expected}, {exact_x}, {grad.to(at::kDouble)});
  SCOPED_TRACE(testing::Message() << kind << gated << " " << rows << " x " << width);
  EXPECT_LT(relative_error(out, expected), tolerance<Number>());
  EXPECT_LT(relative_error(grad_x, gradients[0]), tolerance<Number>());
}

TEST(CudaActivation, AgreesForwardAndBackward) {
  for (const int kind : {kSilu, kGelu, kRelu2, kGeluTanh}) {
    for (const bool gated : {true, false}) {
      for (const int64_t width : {1, 31, 1030}) {
        agrees<float>(kind, gated, 5, width, 1);
        agrees<Bf16>(kind, gated, 5, width, 1);
      }
      for (const int64_t width : {4, 352, 1300}) {
        agrees<float>(kind, gated, 3, width, 4);
        agrees<Bf16>(kind, gated, 3, width, 4);
      }
    }
  }
}

TEST(CudaActivation, FarFromZeroIsTheNumberOrNothing) {
  for (const int kind : {kSilu, kGelu}) {
    EXPECT_EQ(activation(kind, 200.0f).value, 200.0f);
    EXPECT_EQ(activation(kind, 200.0f).slope, 1.0f);
    EXPECT_EQ(activation(kind, -200.0f).value, 0.0f);
    EXPECT_EQ(activation(kind, -200.0f).slope, 0.0f);
  }
  EXPECT_EQ(activation(kRelu2, -3.0f).slope, 0.0f);
}

}  // namespace
}  // namespace muonlab::cuda
