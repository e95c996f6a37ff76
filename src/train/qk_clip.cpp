#include "muonlab/train/qk_clip.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/non_finite.hpp"

namespace muonlab::train {
namespace {

// Heads of rows [heads * head_dim, ...], each by its factor.
void scale_heads(const at::Tensor& weights, const at::Tensor& factors_h) {
  const int64_t heads = factors_h.size(0);
  for (int64_t h = 0; h < heads; ++h) {
    const double factor = factors_h[h].item<double>();
    if (factor == 1.0) continue;
    const int64_t rows = weights.size(0) / heads;
    weights.narrow(0, h * rows, rows).mul_(factor);
  }
}

}  // namespace

void QkClip::see(const at::Tensor& tokens_bt) {
  if (threshold() == 0) return;
  model::Observer observer;
  observer.head_logits = [&](int64_t layer, const at::Tensor& logits_h) {
    const auto i = static_cast<size_t>(layer);
    if (largest_.size() <= i) largest_.resize(i + 1);
    largest_[i] = largest_[i].defined() ? at::maximum(largest_[i], logits_h) : logits_h;
  };
  trainer_.model.observe(tokens_bt, observer);
}

int64_t QkClip::apply() {
  if (threshold() == 0) return -1;
  const at::NoGradGuard no_grad;
  // Of all processes; a maximum does not ask for an order.
  for (at::Tensor& largest : largest_) {
    if (!trainer_.processes().alone())
      largest = trainer_.processes().all_gather(largest.contiguous()).amax(0);
  }
  int64_t clipped = 0;
  const auto factors = [&](const at::Tensor& largest) {
    return (threshold() / largest).sqrt_().masked_fill_(largest <= threshold(), 1.0);
  };
  for (tensor::Parameter& parameter : trainer_.arena.parameters()) {
    const std::string& name = parameter.spec.name;
    const bool of_q = name.find(".q_proj.") != std::string::npos;  // its weight, and its bias
    if (!of_q && name.find(".k_proj.") == std::string::npos) continue;
    const at::Tensor& of_queries = largest_[static_cast<size_t>(parameter.spec.layer)];
    if (!of_queries.isfinite().all().item<bool>()) {
      throw base::NonFinite("an attention logit of layer ", parameter.spec.layer,
                            " is not finite; train.qk_clip cannot scale it");
    }
    const at::Tensor weights = parameter.value.detach();
    if (of_q) {
      if (parameter.spec.role == config::Role::q)
        clipped += (of_queries > threshold()).sum().item<int64_t>();
      scale_heads(weights, factors(of_queries));
    } else {
      const int64_t kv_heads = *trainer_.config.model.kv_heads;
      scale_heads(weights, factors(of_queries.view({kv_heads, -1}).amax(1)));
    }
  }
  return clipped;
}

}  // namespace muonlab::train
