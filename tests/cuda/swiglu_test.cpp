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

at::Tensor composed(const at::Tensor& x) {
  const int64_t width = x.size(1) / 2;
  const at::Tensor in = x.narrow(1, 0, width);
  return in / (1 + at::exp(-in)) * x.narrow(1, width, width);
}

template <class Number>
void agrees(int64_t rows, int64_t width, int size) {
  const at::Tensor x = (normal({rows, 2 * width}, 1) * 3).to(type_of<Number>());
  const at::Tensor grad = normal({rows, width}, 2).to(type_of<Number>());
  const at::Tensor out = poisoned<Number>({rows, width}), grad_x = poisoned<Number>(x.sizes());
  const int lanes = lanes_for(width, size);
  run_grid(SwiGluForward<Number>{data<Number>(x), data<Number>(out), rows, width}, 2, lanes, size,
           0);
  run_grid(SwiGluBackward<Number>{data<Number>(grad), data<Number>(x), data<Number>(grad_x), rows,
                                  width},
           3, lanes, size, 0);

  const at::Tensor exact_x = x.to(at::kDouble).requires_grad_(true);
  const at::Tensor expected = composed(exact_x);
  const auto gradients = torch::autograd::grad({expected}, {exact_x}, {grad.to(at::kDouble)});
  EXPECT_LT(relative_error(out, expected), tolerance<Number>()) << rows << " x " << width;
  EXPECT_LT(relative_error(grad_x, gradients[0]), tolerance<Number>()) << rows << " x " << width;
}

TEST(CudaSwiGlu, AgreesForwardAndBackward) {
  for (const int64_t rows : {1, 5}) {
    for (const int64_t width : {1, 31, 352, 1030}) {
      agrees<float>(rows, width, 1);
      agrees<Bf16>(rows, width, 1);
    }
    for (const int64_t width : {4, 352, 1300}) {
      agrees<float>(rows, width, 4);
      agrees<Bf16>(rows, width, 4);
    }
  }
}

TEST(CudaSwiGlu, FarFromZeroIsTheGateOrNothing) {
  EXPECT_EQ(swiglu_element(200.0f, 2.0f), 400.0f);
  EXPECT_EQ(swiglu_element(-200.0f, 2.0f), 0.0f);
  float in = 7, gate = 7;
  swiglu_element_backward(3.0f, -200.0f, 2.0f, in, gate);
  EXPECT_EQ(in, 0.0f);
  EXPECT_EQ(gate, 0.0f);
  swiglu_element_backward(3.0f, 200.0f, 2.0f, in, gate);
  EXPECT_EQ(in, 6.0f);
  EXPECT_EQ(gate, 600.0f);
}

}  // namespace
}  // namespace muonlab::cuda
