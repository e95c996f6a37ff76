// The operators of forward and backward: checks, memory for results, and the start of the kernels.
// Grid says where: Grid::start(body, launch) and a Grid::Guard for the device of a tensor.
#pragma once

#include <tuple>

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "cuda/checks.hpp"
#include "cuda/launch.hpp"

namespace muonlab::cuda {

// A launch of a block a row.
inline Launch by_row(int64_t rows, int64_t width, int size) {
  return {.num_blocks = blocks_for(rows, 1), .lanes = lanes_for(width, size), .size = size};
}

template <class Grid>
struct ModelOperators {
  static std::tuple<at::Tensor, at::Tensor> rms_norm(const at::Tensor& x, const Optional& gain,
                                                     double eps, at::ScalarType compute) {
    const bool wide = x.scalar_type() == at::kFloat;
    const Normed out = wide ? norm(x, std::nullopt, gain, eps, compute)
                            : norm(std::nullopt, x, gain, eps, compute);
    return {out.normed, out.inv_rms};
  }

  static std::tuple<at::Tensor, at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& residual,
                                                                     const at::Tensor& branch,
                                                                     const Optional& gain,
                                                                     double eps,
                                                                     at::ScalarType compute) {
    const Normed out = norm(residual, branch, gain, eps, compute);
    return {out.sum, out.normed, out.inv_rms};
  }

  static at::Tensor rms_norm_backward(const at::Tensor& grad_normed, const Optional& grad_residual,
                                      const at::Tensor& x, const at::Tensor& inv_rms,
                                      const Optional& gain, const Optional& grad_gain,
                                      const Optional& rounded) {
    TORCH_CHECK(x.dim() == 2, "rms_norm_backward: x must be [rows, width]");
    TORCH_CHECK(gain.has_value() || !grad_gain.has_value(),
                "rms_norm_backward: grad_gain without a gain");
    const int64_t rows = x.size(0), width = x.size(1);
    check(x, x, x.sizes(), x.scalar_type(), "rms_norm_backward: x");
    check(grad_normed, x, x.sizes(), grad_normed.scalar_type(), "rms_norm_backward: grad_normed");
    check(grad_residual, x, x.sizes(), at::kFloat, "rms_norm_backward: grad_residual");
    check(inv_rms, x, {rows}, at::kFloat, "rms_norm_backward: inv_rms");
    check(gain, x, {width}, at::kFloat, "rms_norm_backward: gain");
    check(grad_gain, x, {width}, at::kFloat, "rms_norm_backward: grad_gain");
    check(rounded, x, x.sizes(), at::kBFloat16, "rms_norm_backward: rounded");
    const typename Grid::Guard device(x);
    const at::Tensor grad_x = at::empty_like(x);
    if (x.numel() == 0) return grad_x;
    const int64_t num_blocks = blocks_for(rows, 1, grad_gain ? kGainBlocks : kMaxBlocks);
    const at::Tensor partial =
        grad_gain ? at::empty({num_blocks, width}, x.options().dtype(at::kFloat)) : at::Tensor();
    const bool in_scratch = grad_gain.has_value() && width <= kMaxScratchFloats;
    const int size = pack_size(width, {grad_normed, grad_residual, x, grad_x, rounded});
    with_number(x.scalar_type(), "rms_norm_backward: x", [&](auto x_number) {
      with_number(grad_normed.scalar_type(), "rms_norm_backward: grad_normed", [&](auto number) {
        using X = decltype(x_number);
        using Out = decltype(number);
        const RmsNormBackward<X, Out> body{.grad_normed = read<Out>(grad_normed),
                                           .grad_residual = read<float>(grad_residual),
                                           .x = read<X>(x),
                                           .inv_rms = read<float>(inv_rms),
                                           .gain = read<float>(gain),
                                           .grad_x = write<X>(grad_x),
                                           .rounded = write<Bf16>(rounded),
                                           .partial = grad_gain ? write<float>(partial) : nullptr,
                                           .in_scratch = in_scratch,
                                           .rows = rows,
                                           .width = width};
        Grid::start(body, {.num_blocks = num_blocks,
                           .lanes = lanes_for(width, size),
                           .scratch_floats = in_scratch ? width : 0,
                           .size = size});
      });
    });
    if (grad_gain) add_columns(partial, write<float>(*grad_gain), width, width);
    return grad_x;
  }

  static at::Tensor activate(const at::Tensor& x, int64_t kind, bool gated) {
    const auto [rows, width] = activation_shape(x, kind, gated);
    const at::Tensor out = at::empty({rows, width}, x.options());
    with_activation(x, out, x, [&, rows = rows, width = width]<class Number>(Number*) {
      return ActivationForward<Number>{.x = read<Number>(x),
                                       .out = write<Number>(out),
                                       .rows = rows,
                                       .width = width,
                                       .kind = static_cast<int>(kind),
                                       .gated = gated};
    });
    return out;
  }

  static at::Tensor activate_backward(const at::Tensor& grad_out, const at::Tensor& x, int64_t kind,
                                      bool gated) {
    const auto [rows, width] = activation_shape(x, kind, gated);
    check(grad_out, x, {rows, width}, x.scalar_type(), "activate_backward: grad_out");
    const at::Tensor grad_x = at::empty_like(x);
    with_activation(x, grad_out, grad_x, [&, rows = rows, width = width]<class Number>(Number*) {
      return ActivationBackward<Number>{.grad_out = read<Number>(grad_out),
                                        .x = read<Number>(x),
                                        .grad_x = write<Number>(grad_x),
                                        .rows = rows,
                                        .width = width,
                                        .kind = static_cast<int>(kind),
                                        .gated = gated};
    });
    return grad_x;
  }

  static at::Tensor embed(const at::Tensor& tokens, const at::Tensor& weight) {
    TORCH_CHECK(weight.dim() == 2, "embed: weight must be [vocabulary, width]");
    const int64_t rows = tokens.numel(), width = weight.size(1);
    check(tokens, weight, {rows}, at::kLong, "embed: tokens");
    check(weight, weight, weight.sizes(), at::kFloat, "embed: weight");
    const typename Grid::Guard device(weight);
    const at::Tensor out = at::empty({rows, width}, weight.options().requires_grad(false));
    if (out.numel() == 0) return out;
    const int size = pack_size(width, {weight, out});
    const EmbeddingForward body{.tokens = read<int64_t>(tokens),
                                .weight = read<float>(weight),
                                .out = write<float>(out),
                                .rows = rows,
                                .width = width,
                                .vocabulary = weight.size(0)};
    Grid::start(body, by_row(rows, width, size));
    return out;
  }

  static void embed_backward_(const at::Tensor& grad_weight, const at::Tensor& sorted,
                              const at::Tensor& places, const at::Tensor& grad_out) {
    TORCH_CHECK(grad_out.dim() == 2, "embed_backward_: grad_out must be [rows, width]");
    const int64_t rows = grad_out.size(0), width = grad_out.size(1);
    check(grad_out, grad_weight, grad_out.sizes(), at::kFloat, "embed_backward_: grad_out");
    check(grad_weight, grad_weight, {grad_weight.size(0), width}, at::kFloat,
          "embed_backward_: grad_weight");
    check(sorted, grad_weight, {rows}, at::kLong, "embed_backward_: sorted");
    check(places, grad_weight, {rows}, at::kLong, "embed_backward_: places");
    if (rows == 0) return;
    const typename Grid::Guard device(grad_weight);
    const int64_t num_blocks = (rows + kRunRows - 1) / kRunRows;
    const at::Tensor shares = at::empty({2, num_blocks, width}, grad_out.options());
    float* head = write<float>(shares);
    float* tail = head + num_blocks * width;
    const int size = pack_size(width, {grad_weight, grad_out, shares});
    const Launch how{.num_blocks = num_blocks, .lanes = lanes_for(width, size), .size = size};
    Grid::start(EmbeddingRuns{.sorted = read<int64_t>(sorted),
                              .places = read<int64_t>(places),
                              .grad_out = read<float>(grad_out),
                              .grad_weight = write<float>(grad_weight),
                              .head = head,
                              .tail = tail,
                              .rows = rows,
                              .width = width,
                              .vocabulary = grad_weight.size(0)},
                how);
    Grid::start(EmbeddingJoin{.sorted = read<int64_t>(sorted),
                              .grad_weight = write<float>(grad_weight),
                              .head = head,
                              .tail = tail,
                              .rows = rows,
                              .width = width,
                              .vocabulary = grad_weight.size(0)},
                how);
  }

  static void cross_entropy_(const at::Tensor& logits, const at::Tensor& targets,
                             const at::Tensor& losses, const Optional& counted, int64_t vocabulary,
                             int64_t ignored) {
    TORCH_CHECK(logits.dim() == 2 && vocabulary >= 1 && vocabulary <= logits.size(1),
                "cross_entropy_: logits must be [rows, at least vocabulary]");
    const int64_t rows = logits.size(0), stride = logits.size(1);
    check(logits, logits, logits.sizes(), logits.scalar_type(), "cross_entropy_: logits");
    check(targets, logits, {rows}, at::kLong, "cross_entropy_: targets");
    check(losses, logits, {rows}, at::kFloat, "cross_entropy_: losses");
    check(counted, logits, {1}, at::kLong, "cross_entropy_: counted");
    if (rows == 0) return;
    const typename Grid::Guard device(logits);
    const int size = pack_size(stride, {logits});
    with_number(logits.scalar_type(), "cross_entropy_: logits", [&](auto number) {
      using Number = decltype(number);
      const CrossEntropy<Number> body{.logits = write<Number>(logits),
                                      .targets = read<int64_t>(targets),
                                      .losses = write<float>(losses),
                                      .counted = read<int64_t>(counted),
                                      .rows = rows,
                                      .vocabulary = vocabulary,
                                      .stride = stride,
                                      .ignored = ignored};
      Grid::start(body, by_row(rows, stride, size));
    });
  }

  // total[j] += sum over the rows of partial, for its first `count` columns of `width`.
  static void add_columns(const at::Tensor& partial, float* total, int64_t width, int64_t count,
                          int64_t first = 0) {
    const ColumnSums sums{.partial = read<float>(partial) + first,
                          .total = total,
                          .num_partials = partial.size(0),
                          .width = count,
                          .stride = width};
    Grid::start(sums,
                {.num_blocks = blocks_for(count, kWarp), .scratch_floats = kMaxLanes, .size = 1});
  }

 private:
  struct Normed {
    at::Tensor sum, normed, inv_rms;
  };

  // x is residual + branch; one of the two may be absent, and sum is made when both are there.
  static Normed norm(const Optional& residual, const Optional& branch, const Optional& gain,
                     double eps, at::ScalarType compute) {
    const at::Tensor& x = residual ? *residual : *branch;
    TORCH_CHECK(x.dim() == 2, "rms_norm: x must be [rows, width]");
    const int64_t rows = x.size(0), width = x.size(1);
    check(residual, x, x.sizes(), at::kFloat, "rms_norm: residual");
    if (branch) check(*branch, x, x.sizes(), branch->scalar_type(), "rms_norm: branch");
    check(gain, x, {width}, at::kFloat, "rms_norm: gain");
    const typename Grid::Guard device(x);
    Normed out;
    if (residual && branch) out.sum = at::empty_like(x);
    out.normed = at::empty(x.sizes(), x.options().dtype(compute));
    out.inv_rms = at::empty({rows}, x.options().dtype(at::kFloat));
    if (x.numel() == 0) return out;
    const int size = pack_size(width, {residual, branch, out.normed});
    const at::ScalarType branch_type = branch ? branch->scalar_type() : at::kFloat;
    with_number(branch_type, "rms_norm: branch", [&](auto branch_number) {
      with_number(compute, "rms_norm: the result", [&](auto number) {
        using Branch = decltype(branch_number);
        using Out = decltype(number);
        const RmsNormForward<Branch, Out> body{
            .residual = read<float>(residual),
            .branch = read<Branch>(branch),
            .gain = read<float>(gain),
            .sum = out.sum.defined() ? write<float>(out.sum) : nullptr,
            .normed = write<Out>(out.normed),
            .inv_rms = write<float>(out.inv_rms),
            .rows = rows,
            .width = width,
            .eps = static_cast<float>(eps)};
        Grid::start(body, by_row(rows, width, size));
      });
    });
    return out;
  }

  // Starts the body that make(a null pointer to x's number) gives, a block a row of `narrow`, which
  // is as wide as an activation; `wide` is like x.
  template <class Make>
  static void with_activation(const at::Tensor& x, const at::Tensor& narrow, const at::Tensor& wide,
                              Make make) {
    if (narrow.numel() == 0) return;
    const typename Grid::Guard device(x);
    const int64_t width = narrow.size(1);
    const int size = pack_size(width, {x, narrow, wide});
    with_number(x.scalar_type(), "activate: x", [&](auto number) {
      Grid::start(make(static_cast<decltype(number)*>(nullptr)),
                  by_row(narrow.size(0), width, size));
    });
  }

  static std::pair<int64_t, int64_t> activation_shape(const at::Tensor& x, int64_t kind,
                                                      bool gated) {
    TORCH_CHECK(kind >= kSilu && kind <= kGeluTanh, "activate: no activation ", kind);
    TORCH_CHECK(x.dim() == 2 && (!gated || x.size(1) % 2 == 0),
                "activate: x must be [rows, width], or [rows, 2 width] with a gate");
    check(x, x, x.sizes(), x.scalar_type(), "activate: x");
    return {x.size(0), gated ? x.size(1) / 2 : x.size(1)};
  }
};

}  // namespace muonlab::cuda
