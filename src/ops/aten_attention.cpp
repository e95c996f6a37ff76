#include "ops/aten_attention.hpp"

#include <optional>

#include <ATen/Context.h>

#include "muonlab/ops/attention_choice.hpp"
#include "ops/fused.hpp"

namespace muonlab::ops {
namespace {

struct Views {
  at::Tensor q, k,
      v;  // [b, heads, t, d] of the packed rows, keys and values repeated for their queries
};

Views views_of(const at::Tensor& rows, const AttentionShape& shape) {
  const Heads& heads = shape.heads;
  const at::Tensor split =
      rows.view({shape.num_sequences, shape.num_positions, -1, heads.head_dim}).transpose(1, 2);
  const int64_t group = heads.queries / heads.keys;
  const auto repeat_for_queries = [&](const at::Tensor& x) {
    return group == 1 ? x : x.repeat_interleave(group, 1);
  };
  return {split.narrow(1, 0, heads.queries),
          repeat_for_queries(split.narrow(1, heads.queries, heads.keys)),
          repeat_for_queries(split.narrow(1, heads.queries + heads.keys, heads.keys))};
}

// [b, heads, t, d] of rows of queries.
at::Tensor by_head(const at::Tensor& rows, const AttentionShape& shape) {
  return rows
      .view({shape.num_sequences, shape.num_positions, shape.heads.queries, shape.heads.head_dim})
      .transpose(1, 2);
}

enum class Kind { cpu_flash, flash, cudnn, efficient };

// Flash attention takes heads of multiples of 8 up to 256 in bf16; fp32, and every other shape,
// takes the memory-efficient one.
Kind kind_of(const at::Tensor& rows, const AttentionShape& shape) {
  if (rows.is_cpu()) return Kind::cpu_flash;
  const int64_t d = shape.heads.head_dim;
  if (rows.scalar_type() != at::kBFloat16 || d % 8 != 0 || d > 256) return Kind::efficient;
  return gpu_attention() == GpuAttention::cudnn && suits_cudnn(shape) ? Kind::cudnn : Kind::flash;
}

// LibTorch's backward kernels give the same bits each time only where this is on.
class Deterministic {
 public:
  Deterministic() { at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false); }
  ~Deterministic() { at::globalContext().setDeterministicAlgorithms(before_, warned_); }
  Deterministic(const Deterministic&) = delete;
  Deterministic& operator=(const Deterministic&) = delete;

 private:
  bool before_ = at::globalContext().deterministicAlgorithms();
  bool warned_ = at::globalContext().deterministicAlgorithmsWarnOnly();
};

// Undefined, as ATen's functions take what is absent.
const at::Tensor kNone;

}  // namespace

bool suits_cudnn(const AttentionShape& shape) {
  const int64_t d = shape.heads.head_dim;
  return shape.num_positions % 128 == 0 && d % 8 == 0 && d <= 128;
}

Attended attend_by_aten(const at::Tensor& rows, const AttentionShape& shape) {
  const Views x = views_of(rows, shape);
  at::Tensor out;
  std::vector<at::Tensor> saved;
  switch (kind_of(rows, shape)) {
    case Kind::cpu_flash: {
      const auto [y, lse] = at::_scaled_dot_product_flash_attention_for_cpu(
          x.q, x.k, x.v, 0.0, true, /*attn_mask=*/std::nullopt, shape.scale);
      out = y;
      saved = {lse};
      break;
    }
    case Kind::flash: {
      const auto made = at::_scaled_dot_product_flash_attention(
          x.q, x.k, x.v, 0.0, true, /*return_debug_mask=*/false, shape.scale);
      out = std::get<0>(made);
      saved = {std::get<1>(made), std::get<6>(made), std::get<7>(made)};
      break;
    }
    case Kind::cudnn: {
      const auto made =
          at::_scaled_dot_product_cudnn_attention(x.q, x.k, x.v, std::nullopt,
                                                  /*compute_log_sumexp=*/true, 0.0,
                                                  /*is_causal=*/true,
                                                  /*return_debug_mask=*/false, shape.scale);
      out = std::get<0>(made);
      saved = {std::get<1>(made), std::get<6>(made), std::get<7>(made)};
      break;
    }
    case Kind::efficient: {
      const auto made = at::_scaled_dot_product_efficient_attention(
          x.q, x.k, x.v, std::nullopt, /*compute_log_sumexp=*/true, 0.0, /*is_causal=*/true,
          shape.scale);
      out = std::get<0>(made);
      saved = {std::get<1>(made), std::get<2>(made), std::get<3>(made)};
      break;
    }
  }
  return {out.transpose(1, 2).reshape({rows.size(0), shape.heads.query_width()}), saved};
}

AttentionGradients attend_backward_by_aten(const at::Tensor& rows, const Attended& attended,
                                           const at::Tensor& d_out, const AttentionShape& shape) {
  const Heads& heads = shape.heads;
  const Views x = views_of(rows, shape);
  const at::Tensor d_y = by_head(d_out, shape), y = by_head(attended.out, shape);
  const std::vector<at::Tensor>& saved = attended.saved;
  const int64_t t = shape.num_positions;
  std::optional<Deterministic> same_bits;
  if (!rows.is_cpu()) same_bits.emplace();
  at::Tensor d_q, d_k, d_v;
  switch (kind_of(rows, shape)) {
    case Kind::cpu_flash:
      std::tie(d_q, d_k, d_v) = at::_scaled_dot_product_flash_attention_for_cpu_backward(
          d_y, x.q, x.k, x.v, y, saved[0], 0.0, true, /*attn_mask=*/std::nullopt, shape.scale);
      break;
    case Kind::flash:
      std::tie(d_q, d_k, d_v) = at::_scaled_dot_product_flash_attention_backward(
          d_y, x.q, x.k, x.v, y, saved[0], kNone, kNone, t, t, 0.0, true, saved[1], saved[2],
          shape.scale);
      break;
    case Kind::cudnn:
      std::tie(d_q, d_k, d_v) = at::_scaled_dot_product_cudnn_attention_backward(
          d_y, x.q, x.k, x.v, y, saved[0], saved[1], saved[2], kNone, kNone, kNone, t, t, 0.0, true,
          shape.scale);
      break;
    case Kind::efficient: {
      const auto made = at::_scaled_dot_product_efficient_attention_backward(
          d_y, x.q, x.k, x.v, kNone, y, saved[0], saved[1], saved[2], 0.0,
          {true, true, true, false}, true, shape.scale);
      std::tie(d_q, d_k, d_v) = std::tie(std::get<0>(made), std::get<1>(made), std::get<2>(made));
      break;
    }
  }
  const int64_t group = heads.queries / heads.keys;
  const auto sum_over_queries = [&](const at::Tensor& d) {
    return group == 1 ? d : d.unflatten(1, {heads.keys, group}).to(at::kFloat).sum(2);
  };
  // The kernels leave [b, t, heads, d] in memory, which rows only view.
  const auto as_rows = [&](const at::Tensor& d) {
    return d.transpose(1, 2).reshape({rows.size(0), -1}).to(rows.scalar_type()).contiguous();
  };
  return {as_rows(d_q), as_rows(sum_over_queries(d_k)), as_rows(sum_over_queries(d_v))};
}

}  // namespace muonlab::ops
