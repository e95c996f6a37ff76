// The operators of QK-norm and rotation.
#pragma once

#include "cuda/model_operators.hpp"

namespace muonlab::cuda {

template <class Grid>
struct RotationOperators {
  static void rotate_(const at::Tensor& in, const at::Tensor& out, const at::Tensor& cosine,
                      const at::Tensor& sine, const Optional& query_gain, const Optional& key_gain,
                      int64_t positions, int64_t queries, int64_t keys, bool has_norm, double eps) {
    HeadRows rows =
        head_rows(in, cosine, sine, query_gain, key_gain, positions, queries, keys, has_norm, eps);
    check(out, in, in.sizes(), in.scalar_type(), "rotate_: out");
    if (in.numel() == 0) return;
    const typename Grid::Guard device(in);
    const int size = pack_size(rows.head_dim / 2, {in, out});
    rows.group = lanes_of_head(rows.head_dim, size);
    const bool in_place = in.const_data_ptr() == out.const_data_ptr();
    const int64_t tasks = rows.rows * (queries + (in_place ? 1 : 2) * keys);
    with_number(in.scalar_type(), "rotate_: in", [&](auto number) {
      using Number = decltype(number);
      Grid::start(
          RotateForward<Number>{.r = rows, .in = read<Number>(in), .out = write<Number>(out)},
          {.num_blocks = blocks_for(tasks, kMaxLanes / rows.group), .size = size});
    });
  }

  static void rotate_backward_(const at::Tensor& in, const at::Tensor& grad,
                               const at::Tensor& grad_query, const at::Tensor& grad_key,
                               const at::Tensor& grad_value, const at::Tensor& cosine,
                               const at::Tensor& sine, const Optional& query_gain,
                               const Optional& key_gain, const Optional& grad_query_gain,
                               const Optional& grad_key_gain, int64_t positions, int64_t queries,
                               int64_t keys, bool has_norm, double eps) {
    HeadRows rows =
        head_rows(in, cosine, sine, query_gain, key_gain, positions, queries, keys, has_norm, eps);
    const int64_t d = rows.head_dim;
    check(grad, in, in.sizes(), in.scalar_type(), "rotate_backward_: grad");
    check(grad_query, in, {rows.rows, queries * d}, in.scalar_type(), "rotate_backward_: queries");
    check(grad_key, in, {rows.rows, keys * d}, in.scalar_type(), "rotate_backward_: keys");
    check(grad_value, in, grad_key.sizes(), in.scalar_type(), "rotate_backward_: values");
    check(grad_query_gain, in, {d}, at::kFloat, "rotate_backward_: grad_query_gain");
    check(grad_key_gain, in, {d}, at::kFloat, "rotate_backward_: grad_key_gain");
    const bool with_gains = grad_query_gain && grad_key_gain;
    TORCH_CHECK(!with_gains || has_norm, "rotate_backward_: gains without a norm");
    if (in.numel() == 0) return;
    const typename Grid::Guard device(in);
    const int size = pack_size(d / 2, {in, grad, grad_query, grad_key, grad_value});
    rows.group = lanes_of_head(d, size);
    const int64_t at_once = kMaxLanes / rows.group, scratch = with_gains ? at_once * 2 * d : 0;
    TORCH_CHECK(scratch <= kMaxScratchFloats, "rotate_backward_: heads of ", d,
                " numbers are too wide for gains");
    const int64_t num_blocks = blocks_for(rows.rows * (queries + 2 * keys), at_once,
                                          with_gains ? kGainBlocks : kMaxBlocks);
    const at::Tensor partial =
        with_gains ? at::empty({num_blocks, 2 * d}, cosine.options()) : at::Tensor();
    with_number(in.scalar_type(), "rotate_backward_: in", [&](auto number) {
      using Number = decltype(number);
      Grid::start(RotateBackward<Number>{.r = rows,
                                         .in = read<Number>(in),
                                         .grad_query = read<Number>(grad_query),
                                         .grad_key = read<Number>(grad_key),
                                         .grad_value = read<Number>(grad_value),
                                         .grad = write<Number>(grad),
                                         .partial = with_gains ? write<float>(partial) : nullptr},
                  {.num_blocks = num_blocks, .scratch_floats = scratch, .size = size});
    });
    if (!with_gains) return;
    using Model = ModelOperators<Grid>;
    Model::add_columns(partial, write<float>(*grad_query_gain), 2 * d, d, 0);
    Model::add_columns(partial, write<float>(*grad_key_gain), 2 * d, d, d);
  }

 private:
  static HeadRows head_rows(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine,
                            const Optional& query_gain, const Optional& key_gain, int64_t positions,
                            int64_t queries, int64_t keys, bool has_norm, double eps) {
    TORCH_CHECK(x.dim() == 2 && x.size(1) % (queries + 2 * keys) == 0,
                "rotate_: rows must be [queries | keys | values]");
    const int64_t d = x.size(1) / (queries + 2 * keys);
    TORCH_CHECK(d % 2 == 0 && cosine.dim() == 2 && cosine.size(0) >= positions,
                "rotate_: an odd head, or a table of too few positions");
    check(x, x, x.sizes(), x.scalar_type(), "rotate_: rows");
    check(cosine, x, {cosine.size(0), d / 2}, at::kFloat, "rotate_: cosine");
    check(sine, x, cosine.sizes(), at::kFloat, "rotate_: sine");
    check(query_gain, x, {d}, at::kFloat, "rotate_: query_gain");
    check(key_gain, x, {d}, at::kFloat, "rotate_: key_gain");
    return {.cosine = read<float>(cosine),
            .sine = read<float>(sine),
            .query_gain = read<float>(query_gain),
            .key_gain = read<float>(key_gain),
            .rows = x.size(0),
            .num_positions = positions,
            .queries = queries,
            .keys = keys,
            .head_dim = d,
            .group = 1,
            .has_norm = has_norm,
            .eps = static_cast<float>(eps)};
  }
};

}  // namespace muonlab::cuda
