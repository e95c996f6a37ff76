#include "muonlab/ops/attention.hpp"

#include <cmath>
#include <limits>

#include "muonlab/ops/rms_norm.hpp"
#include "muonlab/tensor/plugin.hpp"
#include "ops/aten_attention.hpp"
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

// scores: the number type of the products with keys and values.
at::Tensor self_attention_composed(const at::Tensor& qkv, int64_t num_sequences,
                                   const AttentionSpec& spec, const RotaryTable& rotary,
                                   const HeadGains& gains, const at::Tensor& first_keys_bt,
                                   at::ScalarType scores) {
  const auto [q, k, v] = rotate(qkv, num_sequences, spec, rotary, gains);
  const at::Tensor attended =
      attention_reference(q.to(scores), k.to(scores), v.to(scores), spec, first_keys_bt);
  return attended.transpose(1, 2)
      .reshape({qkv.size(0), spec.heads.query_width()})
      .to(qkv.scalar_type());
}

// True at the keys that a query does not see: [t, t], or [b, 1, t, t].
at::Tensor hidden_keys(const at::Tensor& q_bhtd, const at::Tensor& first_keys_bt) {
  const int64_t t = q_bhtd.size(2);
  const at::Tensor later = at::ones({t, t}, q_bhtd.options().dtype(at::kBool)).triu(1);
  if (!first_keys_bt.defined()) return later;
  const at::Tensor key = at::arange(t, first_keys_bt.options());
  const at::Tensor first = first_keys_bt.view({-1, 1, t, 1});
  return at::logical_or(later, key < first);
}

// Attention over rotated rows by our kernel where the machine has its instructions, by ATen's
// elsewhere.
template <class T>
Attended attend(const at::Tensor& rows, const AttentionShape& shape, T* type) {
  const Heads& heads = shape.heads;
  if (!has_attention_kernel(type)) return attend_by_aten(rows, shape);
  Attended attended{at::empty({rows.size(0), heads.query_width()}, rows.options()),
                    {at::empty({shape.num_sequences, heads.queries, shape.num_positions},
                               rows.options().dtype(at::kFloat))}};
  const T* in = const_data<T>(rows);
  T* out = data<T>(attended.out);
  float* lse = data<float>(attended.saved[0]);
  at::parallel_for(0, shape.num_sequences * heads.keys, 1, [&](int64_t begin, int64_t end) {
    attention_forward(shape, in, out, lse, begin, end);
  });
  return attended;
}

template <class T>
at::Tensor attend_backward(const at::Tensor& rows, const Attended& attended,
                           const at::Tensor& d_out, const AttentionShape& shape, T* type) {
  const Heads& heads = shape.heads;
  if (!has_attention_kernel(type)) {
    const AttentionGradients d = attend_backward_by_aten(rows, attended, d_out, shape);
    return at::cat({d.query, d.key, d.value}, 1);
  }
  const at::Tensor d_rows = at::empty_like(rows);
  const T *in = const_data<T>(rows), *out = const_data<T>(attended.out),
          *upstream = const_data<T>(d_out);
  const float* lse = const_data<float>(attended.saved[0]);
  T* to = data<T>(d_rows);
  at::parallel_for(0, shape.num_sequences * heads.keys, 1, [&](int64_t begin, int64_t end) {
    attention_backward(shape, in, out, upstream, lse, to, begin, end);
  });
  return d_rows;
}

// What both directions need besides tensors; lives as long as the graph.
struct Plan : torch::CustomClassHolder {
  AttentionShape shape;
  at::Tensor first_keys_bt;  // owns what shape.first_keys points to
  RotaryTable rotary;
  HeadNorm norm;
  HeadGains gains;
  bool on_plugin = false;

  bool has_norm() const { return norm.mode != config::QkNorm::none; }
  bool has_gains() const { return norm.mode == config::QkNorm::gain; }

  RopeRows rope() const {
    RopeRows rows{.heads = shape.heads,
                  .num_positions = shape.num_positions,
                  .cosine = const_data<float>(rotary.cos_th),
                  .sine = const_data<float>(rotary.sin_th),
                  .has_norm = has_norm(),
                  .eps = static_cast<float>(norm.eps)};
    if (has_gains()) {
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
    // The norm's backward needs its input; a rotation alone is undone without.
    const at::Tensor rotated = plan->has_norm() ? at::empty_like(qkv) : qkv;
    const Attended attended = plan->on_plugin ? forward_by_plugin(qkv, rotated, *plan)
                                              : forward_here(qkv, rotated, *plan);
    variable_list saved{qkv, rotated, attended.out};
    saved.insert(saved.end(), attended.saved.begin(), attended.saved.end());
    context->save_for_backward(saved);
    context->saved_data["plan"] = c10::IValue::make_capsule(plan);
    return attended.out;
  }

  static Attended forward_by_plugin(const at::Tensor& qkv, const at::Tensor& rotated,
                                    const Plan& plan) {
    const Heads& heads = plan.shape.heads;
    tensor::plugin::rotate_(qkv, rotated, plan.rotary.cos_th, plan.rotary.sin_th,
                            gain_of(plan, plan.gains.query), gain_of(plan, plan.gains.key),
                            plan.shape.num_positions, heads.queries, heads.keys, plan.has_norm(),
                            plan.norm.eps);
    return attend_by_aten(rotated, plan.shape);
  }

  static Attended forward_here(const at::Tensor& qkv, const at::Tensor& rotated, const Plan& plan) {
    const RopeRows rope = plan.rope();
    Attended attended;
    dispatch(qkv.scalar_type(), [&]<class T>(T* type) {
      const T* in = const_data<T>(qkv);
      T* out = data<T>(rotated);
      for_rows(qkv.size(0), qkv.size(1),
               [&](int64_t begin, int64_t end) { rope_forward(rope, in, out, begin, end); });
      attended = attend(rotated, plan.shape, type);
    });
    return attended;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &qkv = saved[0], &rotated = saved[1];
    const Attended attended{saved[2], {saved.begin() + 3, saved.end()}};
    const auto capsule = context->saved_data["plan"].toCapsule();
    const Plan& plan = static_cast<const Plan&>(*capsule);
    const at::Tensor d_out = grads[0].contiguous();
    if (plan.on_plugin) return {backward_by_plugin(qkv, rotated, attended, d_out, plan), {}, {}};
    return {backward_here(qkv, rotated, attended, d_out, plan), {}, {}};
  }

  static at::Tensor backward_by_plugin(const at::Tensor& qkv, const at::Tensor& rotated,
                                       const Attended& attended, const at::Tensor& d_out,
                                       const Plan& plan) {
    const Heads& heads = plan.shape.heads;
    const AttentionGradients d = attend_backward_by_aten(rotated, attended, d_out, plan.shape);
    const at::Tensor d_qkv = at::empty_like(qkv);
    const bool gains = plan.has_gains();
    tensor::plugin::rotate_backward_(
        qkv, d_qkv, d.query, d.key, d.value, plan.rotary.cos_th, plan.rotary.sin_th,
        gain_of(plan, plan.gains.query), gain_of(plan, plan.gains.key),
        gains ? std::optional(plan.gains.query.grad) : std::nullopt,
        gains ? std::optional(plan.gains.key.grad) : std::nullopt, plan.shape.num_positions,
        heads.queries, heads.keys, plan.has_norm(), plan.norm.eps);
    return d_qkv;
  }

  static std::optional<at::Tensor> gain_of(const Plan& plan, const tensor::Parameter& gain) {
    return plan.has_gains() ? std::optional(gain.value.detach()) : std::nullopt;
  }

  static at::Tensor backward_here(const at::Tensor& qkv, const at::Tensor& rotated,
                                  const Attended& attended, const at::Tensor& d_out,
                                  const Plan& plan) {
    const RopeRows rope = plan.rope();
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
    return d_qkv;
  }
};

}  // namespace

at::Tensor attention_reference(const at::Tensor& q_bhtd, const at::Tensor& k_bhtd,
                               const at::Tensor& v_bhtd, const AttentionSpec& spec,
                               const at::Tensor& first_keys_bt) {
  const int64_t group = q_bhtd.size(1) / k_bhtd.size(1);
  const at::Tensor k = k_bhtd.repeat_interleave(group, 1);
  const at::Tensor v = v_bhtd.repeat_interleave(group, 1);
  const double scale = spec.scale.value_or(1.0 / std::sqrt(static_cast<double>(q_bhtd.size(3))));
  at::Tensor scores = at::matmul(q_bhtd, k.transpose(2, 3)) * scale;
  if (spec.score_cap > 0) scores = at::tanh(scores / spec.score_cap) * spec.score_cap;
  scores = scores.masked_fill(hidden_keys(q_bhtd, first_keys_bt),
                              -std::numeric_limits<double>::infinity());
  const at::ScalarType softmax_dtype =
      scores.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::matmul(at::softmax(scores, -1, softmax_dtype).to(v.scalar_type()), v);
}

at::Tensor self_attention(tensor::Path path, const at::Tensor& qkv, int64_t num_sequences,
                          const AttentionSpec& spec, const RotaryTable& rotary,
                          const HeadGains& gains, const at::Tensor& first_keys_bt) {
  if (!is_fused(path)) {
    return self_attention_composed(qkv, num_sequences, spec, rotary, gains, first_keys_bt,
                                   qkv.scalar_type());
  }
  bool has_kernel = false;
  if (!by_plugin(path)) {
    dispatch(qkv.scalar_type(), [&](auto* type) { has_kernel = has_attention_kernel(type); });
  }
  if (spec.score_cap > 0 || (first_keys_bt.defined() && !has_kernel)) {
    return self_attention_composed(qkv, num_sequences, spec, rotary, gains, first_keys_bt,
                                   at::kFloat);
  }
  auto plan = c10::make_intrusive<Plan>();
  plan->shape = {num_sequences, qkv.size(0) / num_sequences, spec.heads, spec.scale};
  if (first_keys_bt.defined()) {
    plan->first_keys_bt = first_keys_bt.contiguous();
    plan->shape.first_keys = plan->first_keys_bt.const_data_ptr<int32_t>();
  }
  plan->rotary = rotary;
  plan->norm = spec.norm;
  plan->gains = gains;
  plan->on_plugin = by_plugin(path);
  std::optional<at::Tensor> gain;
  if (gains.query.value.defined()) gain = gains.query.value;
  return SelfAttention::apply(qkv.contiguous(), gain, plan);
}

at::Tensor largest_logits(const at::Tensor& qkv, int64_t num_sequences, const AttentionSpec& spec,
                          const RotaryTable& rotary, const HeadGains& gains,
                          const at::Tensor& first_keys_bt) {
  at::NoGradGuard no_grad;
  const Heads& heads = spec.heads;
  const Rotated rotated = rotate(qkv, num_sequences, spec, rotary, gains);
  const at::ScalarType dtype = rotary.cos_th.scalar_type();
  at::Tensor hidden = hidden_keys(rotated.q, first_keys_bt);
  hidden = hidden.expand({num_sequences, 1, hidden.size(-1), hidden.size(-1)});
  at::Tensor largest_h = at::full({heads.queries}, -std::numeric_limits<double>::infinity(),
                                  at::TensorOptions().dtype(at::kDouble));
  for (int64_t i = 0; i < num_sequences; ++i) {  // one at a time: scores take heads * t * t numbers
    const at::Tensor k = rotated.k[i].to(dtype).repeat_interleave(heads.queries / heads.keys, 0);
    const at::Tensor scores = at::matmul(rotated.q[i].to(dtype), k.transpose(1, 2));
    const at::Tensor seen = scores.masked_fill(hidden[i], -std::numeric_limits<double>::infinity());
    largest_h = at::maximum(largest_h, seen.amax({1, 2}).cpu().to(at::kDouble));
  }
  if (spec.scale) return largest_h * *spec.scale;
  return largest_h / std::sqrt(static_cast<double>(heads.head_dim));
}

double largest_logit(const at::Tensor& qkv, int64_t num_sequences, const AttentionSpec& spec,
                     const RotaryTable& rotary, const HeadGains& gains,
                     const at::Tensor& first_keys_bt) {
  return largest_logits(qkv, num_sequences, spec, rotary, gains, first_keys_bt)
      .max()
      .item<double>();
}

}  // namespace muonlab::ops
