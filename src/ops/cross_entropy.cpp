#include "muonlab/ops/cross_entropy.hpp"

#include <numeric>

#include "muonlab/tensor/plugin.hpp"
#include "ops/cross_entropy_kernel.hpp"
#include "ops/fused.hpp"
#include "ops/gemm.hpp"
#include "ops/head_logits.hpp"

namespace muonlab::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kLogitsAtATime = 8 << 20;          // numbers; 16 MB in bf16
constexpr int64_t kDeviceLogitsAtATime = 576 << 20;  // on a GPU, which wants large products

void check_targets(const at::Tensor& targets_n, int64_t vocabulary) {
  base::check(targets_n.scalar_type() == at::kLong && targets_n.is_contiguous(),
              "targets are contiguous int64");
  if (!targets_n.is_cpu()) return;
  const int64_t* targets = targets_n.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < targets_n.numel(); ++i) {
    if (targets[i] == kIgnoredTarget) continue;
    if (targets[i] < 0 || targets[i] >= vocabulary) {
      throw base::Error("target id ", targets[i], " at position ", i,
                        " of the batch is outside the vocabulary of ", vocabulary,
                        "; the data and the model must use the same tokenizer");
    }
  }
}

int64_t chunk_rows(tensor::Path path, int64_t n, int64_t vocabulary) {
  const int64_t numbers = by_plugin(path) ? kDeviceLogitsAtATime : kLogitsAtATime;
  const int64_t at_most = std::max<int64_t>(64, numbers / vocabulary / 64 * 64);
  const int64_t num_chunks = (n + at_most - 1) / at_most;
  return (n + num_chunks - 1) / num_chunks;
}

int64_t count_targets(const at::Tensor& targets_n) {
  if (!targets_n.is_cpu()) return targets_n.ne(kIgnoredTarget).sum().item<int64_t>();
  const int64_t* targets = targets_n.const_data_ptr<int64_t>();
  return targets_n.numel() - std::count(targets, targets + targets_n.numel(), kIgnoredTarget);
}

// Losses [n] in fp32 or double, 0 where not counted.
at::Tensor losses_reference(const at::Tensor& logits_nv, const at::Tensor& targets_n) {
  const at::Tensor wide =
      logits_nv.scalar_type() == at::kDouble ? logits_nv : logits_nv.to(at::kFloat);
  const at::Tensor counted = targets_n.ne(kIgnoredTarget);
  const at::Tensor safe = targets_n.masked_fill(counted.logical_not(), 0);
  const at::Tensor losses = -at::log_softmax(wide, -1).gather(1, safe.unsqueeze(1)).squeeze(1);
  return losses.masked_fill(counted.logical_not(), 0);
}

// Losses of a chunk into `losses`; with scale > 0 the logits become their gradients.
void losses_fused(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& losses,
                  int64_t v, double scale) {
  dispatch(logits.scalar_type(), [&]<class T>(T*) {
    T* x = data<T>(logits);
    const int64_t* wanted = const_data<int64_t>(targets);
    float* out = data<float>(losses);
    for_rows(logits.size(0), logits.size(1), [&](int64_t begin, int64_t end) {
      std::vector<float> scratch(static_cast<size_t>(v));
      softmax_cross_entropy(x, wanted, out, scratch.data(), static_cast<float>(scale), v,
                            logits.size(1), kIgnoredTarget, begin, end);
    });
  });
}

// The same on the path cuda; counted, int64 [1], asks for the gradients.
void losses_by_plugin(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& losses,
                      int64_t v, const std::optional<at::Tensor>& counted) {
  tensor::plugin::cross_entropy_(logits, targets, losses, counted, v, kIgnoredTarget);
}

// HeadCrossEntropy on the path cuda, where no number may come to the host.
class DeviceCrossEntropy : public torch::autograd::Function<DeviceCrossEntropy> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden_nw,
                            const at::Tensor& /*first_part*/, const StackedWeight* head,
                            const at::Tensor& targets_n, const LogitOptions* options,
                            bool with_graph) {
    const int64_t n = hidden_nw.size(0), v = head->rows();
    const int64_t chunk = chunk_rows(head->path(), n, v);
    const at::Tensor counted = targets_n.ne(kIgnoredTarget).sum().view({1});
    const at::Tensor losses_n = at::empty({n}, hidden_nw.options().dtype(at::kFloat));
    at::Tensor d_hidden, d_head, d_bias;
    if (with_graph) {
      d_hidden = at::empty_like(hidden_nw);
      d_head = at::zeros({v, hidden_nw.size(1)}, losses_n.options());
      if (head->has_bias()) d_bias = at::zeros({v}, losses_n.options());
    }
    const at::Tensor share = counted[0].clamp_min(1).to(at::kFloat).reciprocal();
    for (int64_t start = 0; start < n; start += chunk) {
      const int64_t count = std::min(chunk, n - start);
      const at::Tensor hidden = hidden_nw.narrow(0, start, count);
      const at::Tensor targets = targets_n.narrow(0, start, count),
                       losses = losses_n.narrow(0, start, count);
      const at::Tensor logits = multiply_transposed(head->path(), hidden, head->shadow());
      const HeadLogits around(logits, targets, *head, *options, with_graph);
      losses_by_plugin(logits, targets, losses, v,
                       with_graph ? std::optional(counted) : std::nullopt);
      if (!with_graph) continue;
      around.finish(losses, share, d_bias);
      multiply_natural_into(head->path(), d_hidden.narrow(0, start, count), logits, head->shadow());
      add_weight_gradient(head->path(), {&d_head, 1}, logits, hidden);
    }
    if (with_graph) context->save_for_backward({d_hidden, d_head, d_bias});
    context->saved_data["head"] = reinterpret_cast<int64_t>(head);
    return (losses_n.sum(at::kDouble) / counted[0].clamp_min(1)).to(at::kFloat);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const auto* head = reinterpret_cast<const StackedWeight*>(context->saved_data["head"].toInt());
    head->parts()[0].grad.addcmul_(saved[1], grads[0]);
    if (head->has_bias()) head->add_scaled_bias(saved[2], grads[0]);
    return {saved[0] * grads[0], {}, {}, {}, {}, {}};
  }
};

class HeadCrossEntropy : public torch::autograd::Function<HeadCrossEntropy> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden_nw,
                            const at::Tensor& /*first_part*/, const StackedWeight* head,
                            const at::Tensor& targets_n, const LogitOptions* options,
                            bool with_graph) {
    const int64_t n = hidden_nw.size(0), v = head->rows();
    const int64_t chunk = chunk_rows(head->path(), n, v);
    const int64_t num_counted = count_targets(targets_n);
    const double scale =
        with_graph ? 1.0 / static_cast<double>(std::max<int64_t>(num_counted, 1)) : 0.0;
    const at::Tensor losses_n = at::empty({n}, at::kFloat);
    at::Tensor d_hidden, d_head, d_bias;
    if (with_graph) {
      d_hidden = at::empty_like(hidden_nw);
      d_head = at::zeros({v, hidden_nw.size(1)}, at::kFloat);
      if (head->has_bias()) d_bias = at::zeros({v}, at::kFloat);
    }
    const at::Tensor share = at::full({}, scale, at::kFloat);
    for (int64_t start = 0; start < n; start += chunk) {
      const int64_t count = std::min(chunk, n - start);
      const at::Tensor hidden = hidden_nw.narrow(0, start, count);
      const at::Tensor targets = targets_n.narrow(0, start, count),
                       losses = losses_n.narrow(0, start, count);
      const at::Tensor logits = multiply_transposed(head->path(), hidden, head->shadow());
      const HeadLogits around(logits, targets, *head, *options, with_graph);
      losses_fused(logits, targets, losses, v, scale);
      if (!with_graph) continue;
      around.finish(losses, share, d_bias);
      multiply_natural_into(head->path(), d_hidden.narrow(0, start, count), logits, head->shadow());
      add_weight_gradient(head->path(), {&d_head, 1}, logits, hidden);
    }
    if (with_graph) context->save_for_backward({d_hidden, d_head, d_bias});
    context->saved_data["head"] = reinterpret_cast<int64_t>(head);
    const float* losses = losses_n.const_data_ptr<float>();
    const double total = std::accumulate(losses, losses + n, 0.0);
    return at::full({}, total / static_cast<double>(std::max<int64_t>(num_counted, 1)), at::kFloat);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const auto* head = reinterpret_cast<const StackedWeight*>(context->saved_data["head"].toInt());
    const double scale = grads[0].item<double>();
    head->add_scaled(saved[1], scale);
    if (head->has_bias()) head->add_scaled_bias(saved[2], grads[0]);
    return {scale == 1.0 ? saved[0] : saved[0] * scale, {}, {}, {}, {}, {}};
  }
};

}  // namespace

at::Tensor head_logits(const at::Tensor& hidden_nw, const StackedWeight& head,
                       const LogitOptions& options, bool with_graph) {
  const at::Tensor hidden = hidden_nw.to(head.compute());
  if (with_graph) {
    return cap_logits(
        at::linear(hidden, head.differentiable(), if_defined(head.differentiable_bias())), options);
  }
  at::NoGradGuard no_grad;
  return cap_logits(
      at::linear(hidden, head.shadow().narrow(0, 0, head.rows()), if_defined(head.bias_shadow())),
      options);
}

at::Tensor cross_entropy(const at::Tensor& hidden_nw, const StackedWeight& head,
                         const at::Tensor& targets_n, const LogitOptions& options) {
  check_targets(targets_n, head.rows());
  const at::Tensor hidden = hidden_nw.to(head.compute());
  if (by_plugin(head.path())) {
    return DeviceCrossEntropy::apply(hidden.contiguous(), head.parts()[0].value, &head, targets_n,
                                     &options, at::GradMode::is_enabled());
  }
  if (is_fused(head.path())) {
    return HeadCrossEntropy::apply(hidden.contiguous(), head.parts()[0].value, &head, targets_n,
                                   &options, at::GradMode::is_enabled());
  }
  const at::Tensor logits = head_logits(hidden, head, options, /*with_graph=*/true);
  const double num_counted = static_cast<double>(std::max<int64_t>(count_targets(targets_n), 1));
  const at::Tensor loss = losses_reference(logits, targets_n).sum() / num_counted;
  if (options.z_loss == 0) return loss;
  const at::Tensor log_sum =
      at::logsumexp(logits, {1}).masked_fill(targets_n.eq(kIgnoredTarget), 0);
  const at::Tensor z = (log_sum * log_sum).sum() * (options.z_loss / num_counted);
  return loss + (z - z.detach());
}

at::Tensor token_cross_entropy(const at::Tensor& hidden_nw, const StackedWeight& head,
                               const at::Tensor& targets_n, const LogitOptions& options) {
  at::NoGradGuard no_grad;
  check_targets(targets_n, head.rows());
  const bool fused = is_fused(head.path());
  const int64_t n = targets_n.size(0), chunk = chunk_rows(head.path(), n, head.rows());
  std::vector<at::Tensor> parts;
  for (int64_t start = 0; start < n; start += chunk) {
    const int64_t count = std::min(chunk, n - start);
    const at::Tensor targets = targets_n.narrow(0, start, count);
    const at::Tensor hidden = hidden_nw.narrow(0, start, count).to(head.compute());
    if (!fused) {
      parts.push_back(losses_reference(head_logits(hidden, head, options, false), targets));
      continue;
    }
    const at::Tensor logits = multiply_transposed(head.path(), hidden, head.shadow());
    const HeadLogits around(logits, targets, head, options, /*with_graph=*/false);
    parts.push_back(at::empty({count}, hidden.options().dtype(at::kFloat)));
    if (by_plugin(head.path())) {
      losses_by_plugin(logits, targets, parts.back(), head.rows(), std::nullopt);
    } else {
      losses_fused(logits, targets, parts.back(), head.rows(), 0.0);
    }
  }
  return at::cat(parts);
}

}  // namespace muonlab::ops
