#include "muonlab/ops/visible_keys.hpp"

#include <ATen/ATen.h>

namespace muonlab::ops {

at::Tensor first_keys(const at::Tensor& tokens_bt, const AttentionSpec& spec) {
  if (!spec.is_masked()) return {};
  const at::Tensor places = at::arange(tokens_bt.size(1), tokens_bt.options()).view({1, -1});
  at::Tensor first = at::zeros_like(tokens_bt);
  if (spec.document_start) {
    const at::Tensor starts = at::where(tokens_bt.eq(*spec.document_start), places, first);
    first = std::get<0>(at::cummax(starts, 1));
  }
  if (spec.window) first = at::maximum(first, places - (*spec.window - 1));
  return first.to(at::kInt).contiguous();
}

}  // namespace muonlab::ops
