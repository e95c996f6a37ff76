#include "muonlab/ops/stacked_weight.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"

namespace muonlab::ops {

StackedWeight::StackedWeight(std::vector<tensor::Parameter> parts, config::Kernels kernels,
                             at::ScalarType compute)
    : parts_(std::move(parts)), kernels_(kernels), compute_(compute) {
  base::check(!parts_.empty(), "stacked weight without parts");
  columns_ = parts_[0].value.size(1);
  for (const tensor::Parameter& part : parts_) {
    base::check(part.value.dim() == 2 && part.value.size(1) == columns_, "stacked parts differ in columns");
    rows_ += part.value.size(0);
  }
  const at::Tensor& first = parts_[0].value;
  is_alias_ = parts_.size() == 1 && compute_ == first.scalar_type();
  shadow_ = is_alias_ ? first.detach() : at::empty({rows_, columns_}, first.options().dtype(compute_).requires_grad(false));
  refresh();
}

at::Tensor StackedWeight::differentiable() const {
  std::vector<at::Tensor> values;
  for (const tensor::Parameter& part : parts_) values.push_back(part.value.to(compute_));
  return values.size() == 1 ? values[0] : at::cat(values);
}

void StackedWeight::refresh() {
  if (is_alias_) return;
  at::NoGradGuard no_grad;
  int64_t row = 0;
  for (const tensor::Parameter& part : parts_) {
    shadow_.narrow(0, row, part.value.size(0)).copy_(part.value);
    row += part.value.size(0);
  }
}

}  // namespace muonlab::ops
