#include "ops/head_logits.hpp"

#include "ops/accumulate_kernel.hpp"
#include "ops/fused.hpp"

namespace muonlab::ops {
namespace {

at::Tensor widened(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
}

// The cap's slope, from the capped logits.
at::Tensor slope(const at::Tensor& capped, const LogitOptions& options) {
  const at::Tensor share = capped / options.cap;
  const at::Tensor rest = (1.0 - share * share).clamp_min(0);
  return options.form == config::CapForm::tanh ? rest : rest * at::sqrt(rest);
}

}  // namespace

at::Tensor cap_logits(const at::Tensor& logits, const LogitOptions& options) {
  if (options.cap == 0) return logits;
  const at::Tensor x = widened(logits) / options.cap;
  if (options.form == config::CapForm::tanh) return at::tanh(x) * options.cap;
  return x * at::rsqrt(1.0 + x * x) * options.cap;
}

HeadLogits::HeadLogits(const at::Tensor& logits, const at::Tensor& targets,
                       const StackedWeight& head, const LogitOptions& options, bool with_graph)
    : options_(options), logits_(logits.narrow(1, 0, head.rows())) {
  if (head.has_bias()) logits_.add_(head.bias_shadow());
  if (options.cap > 0) {
    logits_.copy_(cap_logits(logits_, options));
    if (with_graph) capped_ = logits_.clone();
  }
  if (options.z_loss > 0 && with_graph) {
    counted_ = targets.ne(kIgnoredTarget);
    places_ = targets.masked_fill(counted_.logical_not(), 0).unsqueeze(1);
    at_targets_ = logits_.gather(1, places_).squeeze(1).to(at::kFloat);
  }
}

// With p the softmax and L = ln Z, the gradient p - 1[target] becomes p (1 + 2 z L) - 1[target].
void HeadLogits::add_z_loss(const at::Tensor& losses, const at::Tensor& share) const {
  const at::Tensor log_sum = losses + at_targets_;
  const at::Tensor growth =
      (log_sum * (2.0 * options_.z_loss)).masked_fill(counted_.logical_not(), 0).unsqueeze(1);
  logits_.mul_(1.0 + growth);
  logits_.scatter_add_(1, places_, (growth * share).to(logits_.scalar_type()));
}

void HeadLogits::finish(const at::Tensor& losses, const at::Tensor& share,
                        const at::Tensor& d_bias) const {
  if (at_targets_.defined()) add_z_loss(losses, share);
  if (capped_.defined()) logits_.mul_(slope(widened(capped_), options_));
  if (!d_bias.defined()) return;
  if (!d_bias.is_cpu()) {
    d_bias.add_(logits_.sum(0, /*keepdim=*/false, at::kFloat));
    return;
  }
  const int64_t stride = logits_.stride(0), v = logits_.size(1);
  dispatch(logits_.scalar_type(), [&]<class T>(T*) {
    const T* rows = static_cast<const T*>(logits_.const_data_ptr());
    const auto block = [&](int64_t begin, int64_t end, float* partial) {
      for (int64_t i = begin; i < end; ++i) accumulate(partial, rows + i * stride, 1.0f, 0, v);
    };
    sum_over_rows(logits_.size(0), v, block, data<float>(d_bias));
  });
}

}  // namespace muonlab::ops
