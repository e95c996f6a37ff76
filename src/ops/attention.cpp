#include "muonlab/ops/attention.hpp"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "muonlab/ops/rms_norm.hpp"

namespace muonlab::ops {
namespace {

// x [b, t, heads, d] in the compute dtype; the norm and the rotation run in the table's dtype.
at::Tensor prepare(const at::Tensor& x_bthd, const RotaryTable& rotary, const HeadNorm& norm,
                   const at::Tensor& gain) {
  at::Tensor x = x_bthd.to(rotary.cos_th.scalar_type());
  if (norm.mode != config::QkNorm::none) x = rms_norm_reference(x, gain, norm.eps);
  return rope_reference(x, rotary).to(x_bthd.scalar_type());
}

at::Tensor self_attention_reference(const at::Tensor& qkv, int64_t num_sequences, const Heads& heads,
                                    const RotaryTable& rotary, const HeadNorm& norm) {
  const int64_t num_positions = qkv.size(0) / num_sequences;
  const at::Tensor split = qkv.view({num_sequences, num_positions, -1, heads.head_dim});
  const at::Tensor q = prepare(split.narrow(2, 0, heads.queries), rotary, norm, norm.query_gain.value);
  const at::Tensor k = prepare(split.narrow(2, heads.queries, heads.keys), rotary, norm, norm.key_gain.value);
  const at::Tensor v = split.narrow(2, heads.queries + heads.keys, heads.keys);
  const at::Tensor mixed = attention_reference(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2));
  return mixed.transpose(1, 2).reshape({qkv.size(0), heads.query_width()});
}

}  // namespace

at::Tensor attention_reference(const at::Tensor& q_bhtd, const at::Tensor& k_bhtd, const at::Tensor& v_bhtd) {
  const int64_t group = q_bhtd.size(1) / k_bhtd.size(1);
  const int64_t num_positions = q_bhtd.size(2);
  const at::Tensor k = k_bhtd.repeat_interleave(group, 1);
  const at::Tensor v = v_bhtd.repeat_interleave(group, 1);
  const double scale = 1.0 / std::sqrt(static_cast<double>(q_bhtd.size(3)));
  const at::Tensor later =
      at::ones({num_positions, num_positions}, q_bhtd.options().dtype(at::kBool)).triu(1);
  const at::Tensor scores = (at::matmul(q_bhtd, k.transpose(2, 3)) * scale)
                                .masked_fill(later, -std::numeric_limits<double>::infinity());
  const at::ScalarType softmax_dtype = scores.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::matmul(at::softmax(scores, -1, softmax_dtype).to(v.scalar_type()), v);
}

at::Tensor self_attention(config::Kernels /*kernels*/, const at::Tensor& qkv, int64_t num_sequences,
                          const Heads& heads, const RotaryTable& rotary, const HeadNorm& norm) {
  return self_attention_reference(qkv, num_sequences, heads, rotary, norm);
}

}  // namespace muonlab::ops
