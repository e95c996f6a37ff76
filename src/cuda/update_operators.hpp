// The operators of the end of a step: norm, flag and clipping, AdamW, Muon.
#pragma once

#include <ATen/ops/empty.h>

#include "cuda/checks.hpp"
#include "cuda/launch.hpp"

namespace muonlab::cuda {

// Shares of the global norm: the same number on every device, as the order of its sum follows it.
constexpr int64_t kNormBlocks = 1024;

inline void check_status(const at::Tensor& status, const at::Tensor& like) {
  check(status, like, {tensor::kStepStatusNumbers}, at::kDouble, "status");
}

template <class Grid>
struct UpdateOperators {
  static void close_step_(const at::Tensor& grads, const at::Tensor& status, double clip) {
    check(grads, grads, {grads.numel()}, at::kFloat, "close_step_: grads");
    check_status(status, grads);
    const typename Grid::Guard device(grads);
    const int size = pack_size(kPack, {grads});
    const int64_t num_blocks = blocks_for(grads.numel(), int64_t{kMaxLanes} * size, kNormBlocks);
    const at::Tensor partial = at::empty({num_blocks}, status.options());
    Grid::start(
        SquareSums{
            .x = read<float>(grads), .partial = write<double>(partial), .count = grads.numel()},
        {.num_blocks = num_blocks, .size = size});
    Grid::start(CloseStatus{.partial = read<double>(partial),
                            .num_partials = num_blocks,
                            .clip = clip,
                            .status = write<Status>(status)},
                {.num_blocks = 1, .size = 1});
    if (clip <= 0) return;
    Grid::start(
        ClipGradients{
            .x = write<float>(grads), .count = grads.numel(), .status = read<Status>(status)},
        flat(grads.numel(), size));
  }

  static void adamw_(const at::Tensor& values, const at::Tensor& grads, const at::Tensor& exp_avg,
                     const at::Tensor& exp_avg_sq, const Optional& shadow,
                     const at::Tensor& factors, const at::Tensor& status) {
    constexpr int64_t kNumFactors = sizeof(AdamWFactors) / sizeof(float);
    TORCH_CHECK(values.dim() == 1, "adamw_: values must be flat");
    check(values, values, values.sizes(), at::kFloat, "adamw_: values");
    check(grads, values, values.sizes(), at::kFloat, "adamw_: grads");
    check(exp_avg, values, values.sizes(), at::kFloat, "adamw_: exp_avg");
    check(exp_avg_sq, values, values.sizes(), at::kFloat, "adamw_: exp_avg_sq");
    check(shadow, values, values.sizes(), at::kBFloat16, "adamw_: shadow");
    check(factors, values, {kNumFactors}, at::kFloat, "adamw_: factors");
    check_status(status, values);
    if (values.numel() == 0) return;
    const typename Grid::Guard device(values);
    // The body finishes an odd end itself, so only the start of the arrays decides.
    const int size = pack_size(kPack, {values, grads, exp_avg, exp_avg_sq, shadow});
    Grid::start(AdamW{.values = write<float>(values),
                      .grads = read<float>(grads),
                      .exp_avg = write<float>(exp_avg),
                      .exp_avg_sq = write<float>(exp_avg_sq),
                      .shadow = write<Bf16>(shadow),
                      .count = values.numel(),
                      .factors = read<AdamWFactors>(factors),
                      .status = read<Status>(status)},
                flat(values.numel(), size));
  }

  static void muon_direction_(const at::Tensor& momentum, const at::Tensor& grads,
                              const at::Tensor& x, const at::Tensor& offsets, int64_t stride,
                              at::ArrayRef<double> form, double norm_factor,
                              const at::Tensor& status) {
    TORCH_CHECK(form.size() == 4, "muon_direction_: form has four numbers");
    check(grads, momentum, momentum.sizes(), at::kFloat, "muon_direction_: grads");
    const Matrices m = matrices(momentum, x, offsets, stride, status);
    if (x.numel() == 0) return;
    const typename Grid::Guard device(x);
    const Momentum numbers{static_cast<float>(form[0]), static_cast<float>(form[1]),
                           static_cast<float>(form[2]), static_cast<float>(form[3])};
    const at::Tensor partial = at::empty({m.count, m.num_parts}, status.options());
    const Launch how = by_part(m, {momentum, grads, x});
    Grid::start(MuonMomentum{.m = m,
                             .form = numbers,
                             .grads = read<float>(grads),
                             .momentum = write<float>(momentum),
                             .partial = write<double>(partial),
                             .status = read<Status>(status)},
                how);
    with_number(x.scalar_type(), "muon_direction_: x", [&](auto number) {
      using Number = decltype(number);
      Grid::start(MuonDirection<Number>{.m = m,
                                        .form = numbers,
                                        .norm_factor = norm_factor,
                                        .grads = read<float>(grads),
                                        .momentum = read<float>(momentum),
                                        .partial = read<double>(partial),
                                        .out = write<Number>(x),
                                        .status = read<Status>(status)},
                  how);
    });
  }

  static void muon_apply_(const at::Tensor& values, const at::Tensor& polar,
                          const at::Tensor& offsets, int64_t stride, const at::Tensor& factors,
                          const at::Tensor& status) {
    const Matrices m = matrices(values, polar, offsets, stride, status);
    check(factors, values, {2}, at::kFloat, "muon_apply_: factors");
    if (polar.numel() == 0) return;
    const typename Grid::Guard device(values);
    with_number(polar.scalar_type(), "muon_apply_: polar", [&](auto number) {
      using Number = decltype(number);
      Grid::start(MuonApply<Number>{.m = m,
                                    .factors = read<MuonFactors>(factors),
                                    .polar = read<Number>(polar),
                                    .values = write<float>(values),
                                    .status = read<Status>(status)},
                  by_part(m, {values, polar}));
    });
  }

 private:
  static Launch flat(int64_t count, int size) {
    return {.num_blocks = blocks_for(count, int64_t{kMaxLanes} * size), .size = size};
  }

  static Launch by_part(const Matrices& m, const std::vector<Optional>& arrays) {
    const bool packed = m.cols % kPack == 0 && m.stride % kPack == 0;
    return {.num_blocks = blocks_for(m.count * m.num_parts, 1),
            .size = packed ? pack_size(kPack, arrays) : 1};
  }

  // flat: what the matrices lie in; x [count, rows, cols]. REQUIRES: offsets are multiples of 4
  // where cols and stride are.
  static Matrices matrices(const at::Tensor& flat, const at::Tensor& x, const at::Tensor& offsets,
                           int64_t stride, const at::Tensor& status) {
    TORCH_CHECK(x.dim() == 3 && stride >= x.size(2), "muon: matrices must be [count, rows, cols]");
    check(flat, flat, {flat.numel()}, at::kFloat, "muon: the range");
    check(x, flat, x.sizes(), x.scalar_type(), "muon: the matrices");
    check(offsets, flat, {x.size(0)}, at::kLong, "muon: offsets");
    check_status(status, flat);
    return {.offsets = read<int64_t>(offsets),
            .count = x.size(0),
            .rows = x.size(1),
            .cols = x.size(2),
            .stride = stride,
            .num_parts = parts_of(x.size(1), x.size(2))};
  }
};

}  // namespace muonlab::cuda
