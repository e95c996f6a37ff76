// The kernels' bodies against composed operations in double and their gradients.
#include <optional>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "cuda/host_grid.hpp"
#include "support/gradient_check.hpp"
#include "support/parameters.hpp"

namespace muonlab::cuda {
namespace {

using support::normal;
using support::relative_error;

constexpr double kEps = 1e-5;

at::Tensor composed(const at::Tensor& x, const at::Tensor& gain) {
  const at::Tensor normed = x / (x.pow(2).mean(-1, true) + kEps).sqrt();
  return gain.defined() ? normed * gain : normed;
}

struct Shape {
  int64_t rows, width;
  int size;
};

// Widths below, at and above a warp's and a block's reach; odd ones only one element at a time.
const std::vector<Shape> kShapes{{1, 1, 1},   {3, 7, 1},    {5, 33, 1},  {2, 64, 4},
                                 {7, 132, 4}, {4, 1021, 1}, {3, 1100, 4}};

template <class Out>
struct Forward {
  at::Tensor sum, normed, inv_rms;
};

template <class Branch, class Out>
Forward<Out> forward(const at::Tensor& residual, const at::Tensor& branch, const at::Tensor& gain,
                     int size, int64_t num_blocks) {
  const at::Tensor& x = residual.defined() ? residual : branch;
  const bool both = residual.defined() && branch.defined();
  Forward<Out> out{both ? poisoned<float>(x.sizes()) : at::Tensor(), poisoned<Out>(x.sizes()),
                   poisoned<float>({x.size(0)})};
  const RmsNormForward<Branch, Out> body{
      .residual = residual.defined() ? data<float>(residual) : nullptr,
      .branch = branch.defined() ? data<Branch>(branch) : nullptr,
      .gain = gain.defined() ? data<float>(gain) : nullptr,
      .sum = both ? data<float>(out.sum) : nullptr,
      .normed = data<Out>(out.normed),
      .inv_rms = data<float>(out.inv_rms),
      .rows = x.size(0),
      .width = x.size(1),
      .eps = static_cast<float>(kEps)};
  run_grid(body, num_blocks, lanes_for(x.size(1), size), size, 0);
  return out;
}

template <class Branch, class Out>
void forward_agrees() {
  for (const Shape& s : kShapes) {
    const at::Tensor residual = normal({s.rows, s.width}, 1) * 3;
    const at::Tensor branch = normal({s.rows, s.width}, 2).to(type_of<Branch>());
    const at::Tensor gain = normal({s.width}, 3) + 1;
    const auto ours = forward<Branch, Out>(residual, branch, gain, s.size, 2);
    EXPECT_TRUE(at::equal(ours.sum, residual + branch.to(at::kFloat)));
    const at::Tensor x = residual.to(at::kDouble) + branch.to(at::kDouble);
    EXPECT_LT(relative_error(ours.normed, composed(x, gain.to(at::kDouble))), tolerance<Out>())
        << s.width;
    EXPECT_LT(relative_error(ours.inv_rms, (x.pow(2).mean(-1) + kEps).rsqrt()), 2e-6) << s.width;
  }
}

TEST(CudaRmsNorm, ForwardOfASumAgrees) {
  forward_agrees<float, float>();
  forward_agrees<float, Bf16>();
  forward_agrees<Bf16, float>();
  forward_agrees<Bf16, Bf16>();
}

TEST(CudaRmsNorm, ForwardOfOneTensorWithoutGainAgrees) {
  const at::Tensor x = normal({6, 72}, 4);
  const auto wide = forward<float, float>(x, {}, {}, 4, 6);
  EXPECT_LT(relative_error(wide.normed, composed(x.to(at::kDouble), {})), 2e-6);
  const at::Tensor small = x.to(at::kBFloat16);
  const auto narrow_x = forward<Bf16, Bf16>({}, small, {}, 4, 1);
  EXPECT_LT(relative_error(narrow_x.normed, composed(small.to(at::kDouble), {})),
            tolerance<Bf16>());
}

TEST(CudaRmsNorm, ARowDependsOnItsLanesAlone) {
  const at::Tensor x = normal({9, 260}, 5), gain = normal({260}, 6);
  const auto together = forward<float, float>(x, {}, gain, 4, 1);
  const auto apart = forward<float, float>(x, {}, gain, 4, 9);
  EXPECT_TRUE(at::equal(together.normed, apart.normed));
  const auto alone = forward<float, float>(x.narrow(0, 8, 1), {}, gain, 4, 1);
  EXPECT_TRUE(at::equal(together.normed.narrow(0, 8, 1), alone.normed));
}

template <class X, class Out>
void backward_agrees(bool with_gain, bool with_residual, bool in_scratch) {
  for (const Shape& s : kShapes) {
    const at::Tensor x = (normal({s.rows, s.width}, 7) * 2).to(type_of<X>());
    const at::Tensor gain = with_gain ? normal({s.width}, 8) + 1 : at::Tensor();
    const at::Tensor grad = normal({s.rows, s.width}, 9).to(type_of<Out>());
    const at::Tensor grad_residual = normal({s.rows, s.width}, 10);

    const at::Tensor exact_x = x.to(at::kDouble).requires_grad_(true);
    const at::Tensor exact_gain =
        with_gain ? gain.to(at::kDouble).requires_grad_(true) : at::Tensor();
    std::vector<at::Tensor> leaves{exact_x};
    if (with_gain) leaves.push_back(exact_gain);
    const auto exact =
        torch::autograd::grad({composed(exact_x, exact_gain)}, leaves, {grad.to(at::kDouble)});
    const at::Tensor expected = with_residual ? exact[0] + grad_residual.to(at::kDouble) : exact[0];

    constexpr int64_t kNumBlocks = 2;
    const at::Tensor inv_rms = (x.to(at::kFloat).pow(2).mean(-1) + kEps).rsqrt();
    const at::Tensor grad_x = poisoned<X>(x.sizes()),
                     partial = poisoned<float>({kNumBlocks, s.width});
    const at::Tensor rounded = poisoned<Bf16>(x.sizes());
    const RmsNormBackward<X, Out> body{
        .grad_normed = data<Out>(grad),
        .grad_residual = with_residual ? data<float>(grad_residual) : nullptr,
        .x = data<X>(x),
        .inv_rms = data<float>(inv_rms),
        .gain = with_gain ? data<float>(gain) : nullptr,
        .grad_x = data<X>(grad_x),
        .rounded = data<Bf16>(rounded),
        .partial = with_gain ? data<float>(partial) : nullptr,
        .in_scratch = in_scratch,
        .rows = s.rows,
        .width = s.width};
    run_grid(body, kNumBlocks, lanes_for(s.width, s.size), s.size, in_scratch ? s.width : 0);
    EXPECT_TRUE(at::equal(rounded, grad_x.to(at::kBFloat16))) << s.width;
    // Against the largest term, not the difference: for one column the gradient is nearly zero.
    const double scale =
        std::max(expected.abs().max().item<double>(),
                 (grad.to(at::kDouble).abs().max() * inv_rms.to(at::kDouble).max()).item<double>());
    EXPECT_LT((grad_x.to(at::kDouble) - expected).abs().max().item<double>() / scale,
              2 * tolerance<X>())
        << s.width;
    if (!with_gain) continue;
    const at::Tensor before = normal({s.width}, 11), total = before.clone();
    const ColumnSums sums{.partial = data<float>(partial),
                          .total = data<float>(total),
                          .num_partials = kNumBlocks,
                          .width = s.width,
                          .stride = s.width};
    run_grid<1>(sums, 2, 96, 96);
    EXPECT_LT(relative_error(total, exact[1] + before.to(at::kDouble)), 4e-6) << s.width;
  }
}

TEST(CudaRmsNorm, BackwardAgrees) {
  for (const bool in_scratch : {false, true}) {
    backward_agrees<float, float>(true, true, in_scratch);
    backward_agrees<float, Bf16>(true, true, in_scratch);
    backward_agrees<Bf16, float>(true, false, in_scratch);
    backward_agrees<Bf16, Bf16>(true, false, in_scratch);
  }
}

TEST(CudaRmsNorm, BackwardWithoutGainAgrees) {
  backward_agrees<float, Bf16>(false, true, false);
  backward_agrees<Bf16, Bf16>(false, false, false);
}

}  // namespace
}  // namespace muonlab::cuda
