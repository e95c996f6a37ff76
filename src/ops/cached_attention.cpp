// Shapes: b sequences, t new positions, s positions in all, h heads, g query heads a key head.
#include "muonlab/ops/cached_attention.hpp"

#include <limits>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/ops/rms_norm.hpp"

namespace muonlab::ops {
namespace {

constexpr int64_t kLeastRoom = 64;  // positions

RotaryTable from_position(const RotaryTable& rotary, int64_t first, int64_t count) {
  return {rotary.cos_th.narrow(0, first, count), rotary.sin_th.narrow(0, first, count)};
}

at::Tensor normed_and_rotated(const at::Tensor& x_bthd, const RotaryTable& rotary,
                              const HeadNorm& norm, const at::Tensor& gain) {
  at::Tensor x = x_bthd.to(rotary.cos_th.scalar_type());
  if (norm.mode != config::QkNorm::none) x = rms_norm_reference(x, gain, norm.eps);
  return rope_reference(x, rotary).to(x_bthd.scalar_type());
}

// Writes new_bhtd behind the first positions of `held`, which grows by doubling; the positions so
// far.
at::Tensor append(at::Tensor& held, const at::Tensor& new_bhtd, int64_t first) {
  const int64_t end = first + new_bhtd.size(2);
  if (!held.defined() || held.size(2) < end) {
    std::vector<int64_t> shape = new_bhtd.sizes().vec();
    shape[2] = std::max(kLeastRoom, 2 * end);
    const at::Tensor larger = at::empty(shape, new_bhtd.options());
    if (first > 0) larger.narrow(2, 0, first).copy_(held.narrow(2, 0, first));
    held = larger;
  }
  held.narrow(2, first, new_bhtd.size(2)).copy_(new_bhtd);
  return held.narrow(2, 0, end);
}

}  // namespace

at::Tensor cached_attention(const at::Tensor& qkv, int64_t num_sequences, int64_t first,
                            const AttentionSpec& spec, const RotaryTable& rotary,
                            const HeadGains& gains, LayerCache cache) {
  const at::NoGradGuard no_grad;
  const Heads& heads = spec.heads;
  const int64_t t = qkv.size(0) / num_sequences, group = heads.queries / heads.keys;
  base::check(!spec.is_masked(), "a cache without first keys");
  base::check(first == 0 || (cache.keys.defined() && cache.keys.size(2) >= first),
              "the cache holds fewer positions than are said to be before");
  const at::Tensor split = qkv.view({num_sequences, t, -1, heads.head_dim});
  const RotaryTable table = from_position(rotary, first, t);
  const at::Tensor q =
      normed_and_rotated(split.narrow(2, 0, heads.queries), table, spec.norm, gains.query.value);
  const at::Tensor k = normed_and_rotated(split.narrow(2, heads.queries, heads.keys), table,
                                          spec.norm, gains.key.value);
  const at::Tensor v = split.narrow(2, heads.queries + heads.keys, heads.keys);
  const at::Tensor k_bhsd = append(cache.keys, k.transpose(1, 2), first);
  const at::Tensor v_bhsd = append(cache.values, v.transpose(1, 2), first);
  const int64_t s = first + t;

  const at::Tensor q_bhgtd =
      q.transpose(1, 2).reshape({num_sequences, heads.keys, group * t, heads.head_dim});
  at::Tensor scores = at::matmul(q_bhgtd, k_bhsd.transpose(2, 3)) * spec.score_scale();
  if (spec.score_cap > 0) scores = at::tanh(scores / spec.score_cap) * spec.score_cap;
  if (t > 1) {
    const at::Tensor later =
        at::ones({t, s}, qkv.options().dtype(at::kBool)).triu(first + 1).repeat({group, 1});
    scores = scores.masked_fill(later, -std::numeric_limits<double>::infinity());
  }
  const at::ScalarType softmax_dtype =
      scores.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor weights = at::softmax(scores, -1, softmax_dtype).to(v_bhsd.scalar_type());
  return at::matmul(weights, v_bhsd)
      .view({num_sequences, heads.queries, t, heads.head_dim})
      .transpose(1, 2)
      .reshape({qkv.size(0), heads.query_width()});
}

}  // namespace muonlab::ops
