#include "muonlab/ops/attention.hpp"

#include <cmath>
#include <limits>

#include "muonlab/ops/rms_norm.hpp"
#include "ops/attention_kernel.hpp"
#include "ops/fused.hpp"
#include "ops/rope_kernel.hpp"

namespace muonlab::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// x [b, t, heads, d] in the compute dtype; the norm and the rotation run in the table's dtype.
at::Tensor prepare(const at::Tensor& x_bthd, const RotaryTable& rotary, const HeadNorm& norm,
                   const at::Tensor& gain) {
  at::Tensor x = x_bthd.to(rotary.cos_th.scalar_type());
  if (norm.mode != config::QkNorm::none) x = rms_norm_reference(x, gain, norm.eps);
  return rope_reference(x, rotary).to(x_bthd.scalar_type());
}

// Queries and keys after norm and rotation, and values: [b, heads, t, d].
struct Rotated {
  at::Tensor q, k, v;
};

Rotated rotate(const at::Tensor& qkv, int64_t num_sequences, const AttentionSpec& spec,
               const RotaryTable& rotary, const HeadGains& gains) {
  const Heads& heads = spec.heads;
  const at::Tensor split =
      qkv.view({num_sequences, qkv.size(0) / num_sequences, -1, heads.head_dim});
  const at::Tensor q =
      prepare(split.narrow(2, 0, heads.queries), rotary, spec.norm, gains.query.value);
  const at::Tensor k =
      prepare(split.narrow(2, heads.queries, heads.keys), rotary, spec.norm, gains.key.value);
  const at::Tensor v = split.narrow(2, heads.queries + heads.keys, heads.keys);
  return {q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)};
}

at::Tensor self_attention_reference(const at::Tensor& qkv, int64_t num_sequences,
                                    const AttentionSpec& spec, const RotaryTable& rotary,
                                    const HeadGains& gains) {
  const auto [q, k, v] = rotate(qkv, num_sequences, spec, rotary, gains);
  const at::Tensor attended = attention_reference(q, k, v);
  return attended.transpose(1, 2).reshape({qkv.size(0), spec.heads.query_width()});
}

// Attention over rotated rows by our kernel where the machine has its instructions, by ATen's
// elsewhere.
struct Attended {
  at::Tensor out;  // [n, query width]
  at::Tensor lse;  // fp32; [b, query heads, t] here, ATen's own layout there
};

struct FlashViews {
  at::Tensor q, k,
      v;  // [b, heads, t, d] of the packed rows, keys and values repeated for their queries
};

FlashViews flash_views(const at::Tensor& rows, const AttentionShape& shape) {
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

template <class T>
Attended attend(const at::Tensor& rows, const AttentionShape& shape, T* type) {
  const Heads& heads = shape.heads;
  if (!has_attention_kernel(type)) {
    const FlashViews views = flash_views(rows, shape);
    const auto [out, lse] =
        at::_scaled_dot_product_flash_attention_for_cpu(views.q, views.k, views.v, 0.0, true);
    return {out.transpose(1, 2).reshape({rows.size(0), heads.query_width()}), lse};
  }
  Attended attended{at::empty({rows.size(0), heads.query_width()}, rows.options()),
                    at::empty({shape.num_sequences, heads.queries, shape.num_positions},
                              rows.options().dtype(at::kFloat))};
  const T* in = const_data<T>(rows);
  T* out = data<T>(attended.out);
  float* lse = data<float>(attended.lse);
  at::parallel_for(0, shape.num_sequences * heads.keys, 1, [&](int64_t begin, int64_t end) {
    attention_forward(shape, in, out, lse, begin, end);
  });
  return attended;
}

template <class T>
at::Tensor attend_backward(const at::Tensor& rows, const Attended& attended,
                           const at::Tensor& d_out, const AttentionShape& shape, T* type) {
  const Heads& heads = shape.heads;
  const at::Tensor d_rows = at::empty_like(rows);
  if (!has_attention_kernel(type)) {
    const FlashViews views = flash_views(rows, shape);
    const auto by_head = [&](const at::Tensor& x) {
      return x.view({shape.num_sequences, shape.num_positions, heads.queries, heads.head_dim})
          .transpose(1, 2);
    };
    const auto [d_q, d_k, d_v] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        by_head(d_out), views.q, views.k, views.v, by_head(attended.out), attended.lse, 0.0, true);
    const at::Tensor split =
        d_rows.view({shape.num_sequences, shape.num_positions, -1, heads.head_dim}).transpose(1, 2);
    const int64_t group = heads.queries / heads.keys;
    const auto sum_over_queries = [&](const at::Tensor& x) {
      return group == 1 ? x : x.unflatten(1, {heads.keys, group}).to(at::kFloat).sum(2);
    };
    split.narrow(1, 0, heads.queries).copy_(d_q);
    split.narrow(1, heads.queries, heads.keys).copy_(sum_over_queries(d_k));
    split.narrow(1, heads.queries + heads.keys, heads.keys).copy_(sum_over_queries(d_v));
    return d_rows;
  }
  const T *in = const_data<T>(rows), *out = const_data<T>(attended.out),
          *upstream = const_data<T>(d_out);
  const float* lse = const_data<float>(attended.lse);
  T* to = data<T>(d_rows);
  at::parallel_for(0, shape.num_sequences * heads.keys, 1, [&](int64_t begin, int64_t end) {
    attention_backward(shape, in, out, upstream, lse, to, begin, end);
  });
  return d_rows;
}

// What both directions need besides tensors; lives as long as the graph.
struct Plan : torch::CustomClassHolder {
  AttentionShape shape;
  RotaryTable rotary;
  HeadNorm norm;
  HeadGains gains;

  RopeRows rope() const {
    RopeRows rows{.heads = shape.heads,
                  .num_positions = shape.num_positions,
                  .cosine = const_data<float>(rotary.cos_th),
                  .sine = const_data<float>(rotary.sin_th),
                  .has_norm = norm.mode != config::QkNorm::none,
                  .eps = static_cast<float>(norm.eps)};
    if (norm.mode == config::QkNorm::gain) {
      rows.query_gain = const_data<float>(gains.query.value);
      rows.key_gain = const_data<float>(gains.key.value);
    }
    return rows;
  }
};

class SelfAttention : public torch::autograd::Function<SelfAttention> {
 public:
  // The query gain stands in the graph for both gains.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv,
                            const std::optional<at::Tensor>& /*query_gain*/,
                            const c10::intrusive_ptr<Plan>& plan) {
    const RopeRows rope = plan->rope();
    // The norm's backward needs its input; a rotation alone is undone without.
    const at::Tensor rotated = rope.has_norm ? at::empty_like(qkv) : qkv;
    Attended attended;
    dispatch(qkv.scalar_type(), [&]<class T>(T* type) {
      const T* in = const_data<T>(qkv);
      T* out = data<T>(rotated);
      for_rows(qkv.size(0), qkv.size(1),
               [&](int64_t begin, int64_t end) { rope_forward(rope, in, out, begin, end); });
      attended = attend(rotated, plan->shape, type);
    });
    context->save_for_backward({qkv, rotated, attended.out, attended.lse});
    context->saved_data["plan"] = c10::IValue::make_capsule(plan);
    return attended.out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &qkv = saved[0], &rotated = saved[1];
    const Attended attended{saved[2], saved[3]};
    const auto capsule = context->saved_data["plan"].toCapsule();
    const Plan& plan = static_cast<const Plan&>(*capsule);
    const RopeRows rope = plan.rope();
    const at::Tensor d_out = grads[0].contiguous();
    const int64_t n = qkv.size(0), d = plan.shape.heads.head_dim;
    at::Tensor d_qkv;
    dispatch(qkv.scalar_type(), [&]<class T>(T* type) {
      d_qkv = attend_backward(rotated, attended, d_out, plan.shape, type);
      const T* in = const_data<T>(qkv);
      T* out = data<T>(d_qkv);
      if (rope.query_gain == nullptr) {
        for_rows(n, qkv.size(1), [&](int64_t begin, int64_t end) {
          std::vector<float> scratch(static_cast<size_t>(d));
          rope_backward(rope, in, out, nullptr, nullptr, scratch.data(), begin, end);
        });
        return;
      }
      std::vector<float> d_gains(static_cast<size_t>(2 * d), 0.0f);
      const auto block = [&](int64_t begin, int64_t end, float* partial) {
        std::vector<float> scratch(static_cast<size_t>(d));
        rope_backward(rope, in, out, partial, partial + d, scratch.data(), begin, end);
      };
      sum_over_rows(n, 2 * d, block, d_gains.data());
      const at::Tensor both = at::from_blob(d_gains.data(), {2, d}, at::kFloat);
      accumulate_into(plan.gains.query.grad, both[0]);
      accumulate_into(plan.gains.key.grad, both[1]);
    });
    return {d_qkv, {}, {}};
  }
};

}  // namespace

at::Tensor attention_reference(const at::Tensor& q_bhtd, const at::Tensor& k_bhtd,
                               const at::Tensor& v_bhtd) {
  const int64_t group = q_bhtd.size(1) / k_bhtd.size(1);
  const int64_t num_positions = q_bhtd.size(2);
  const at::Tensor k = k_bhtd.repeat_interleave(group, 1);
  const at::Tensor v = v_bhtd.repeat_interleave(group, 1);
  const double scale = 1.0 / std::sqrt(static_cast<double>(q_bhtd.size(3)));
  const at::Tensor later =
      at::ones({num_positions, num_positions}, q_bhtd.options().dtype(at::kBool)).triu(1);
  const at::Tensor scores = (at::matmul(q_bhtd, k.transpose(2, 3)) * scale)
                                .masked_fill(later, -std::numeric_limits<double>::infinity());
  const at::ScalarType softmax_dtype =
      scores.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::matmul(at::softmax(scores, -1, softmax_dtype).to(v.scalar_type()), v);
}

at::Tensor self_attention(tensor::Path path, const at::Tensor& qkv, int64_t num_sequences,
                          const AttentionSpec& spec, const RotaryTable& rotary,
                          const HeadGains& gains) {
  if (!is_fused(path)) return self_attention_reference(qkv, num_sequences, spec, rotary, gains);
  auto plan = c10::make_intrusive<Plan>();
  plan->shape = {num_sequences, qkv.size(0) / num_sequences, spec.heads};
  plan->rotary = rotary;
  plan->norm = spec.norm;
  plan->gains = gains;
  std::optional<at::Tensor> gain;
  if (gains.query.value.defined()) gain = gains.query.value;
  return SelfAttention::apply(qkv.contiguous(), gain, plan);
}

double largest_logit(const at::Tensor& qkv, int64_t num_sequences, const AttentionSpec& spec,
                     const RotaryTable& rotary, const HeadGains& gains) {
  at::NoGradGuard no_grad;
  const Heads& heads = spec.heads;
  const Rotated rotated = rotate(qkv, num_sequences, spec, rotary, gains);
  const at::ScalarType dtype = rotary.cos_th.scalar_type();
  const int64_t num_positions = rotated.q.size(2);
  const at::Tensor later =
      at::ones({num_positions, num_positions}, qkv.options().dtype(at::kBool)).triu(1);
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < num_sequences; ++i) {  // one at a time: scores take heads * t * t numbers
    const at::Tensor k = rotated.k[i].to(dtype).repeat_interleave(heads.queries / heads.keys, 0);
    const at::Tensor scores = at::matmul(rotated.q[i].to(dtype), k.transpose(1, 2));
    const at::Tensor causal = scores.masked_fill(later, -std::numeric_limits<double>::infinity());
    largest = std::max(largest, causal.max().item<double>());
  }
  return largest / std::sqrt(static_cast<double>(heads.head_dim));
}

}  // namespace muonlab::ops
