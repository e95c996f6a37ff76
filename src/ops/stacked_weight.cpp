#include "muonlab/ops/stacked_weight.hpp"

#include "ops/accumulate_kernel.hpp"
#include "ops/fused.hpp"
#include "ops/gemm.hpp"

namespace muonlab::ops {

StackedWeight::StackedWeight(std::vector<tensor::Parameter> parts, tensor::Path path,
                             at::ScalarType compute, int64_t row_multiple,
                             std::vector<tensor::Parameter> biases)
    : parts_(std::move(parts)), biases_(std::move(biases)), path_(path), compute_(compute) {
  base::check(!parts_.empty(), "stacked weight without parts");
  base::check(biases_.empty() || biases_.size() == parts_.size(), "a bias for each part or none");
  columns_ = parts_[0].value.size(1);
  for (const tensor::Parameter& part : parts_) {
    base::check(part.value.dim() == 2 && part.value.size(1) == columns_,
                "stacked parts differ in columns");
    rows_ += part.value.size(0);
  }
  const at::Tensor& first = parts_[0].value;
  const int64_t multiple = is_fused(path_) ? row_multiple : 1;
  const int64_t padded = (rows_ + multiple - 1) / multiple * multiple;
  is_alias_ = parts_.size() == 1 && compute_ == first.scalar_type() && padded == rows_;
  shadow_ = is_alias_ ? first.detach()
                      : at::zeros({padded, columns_},
                                  first.options().dtype(compute_).requires_grad(false));
  if (has_bias()) {
    bias_shadow_ = at::zeros({rows_}, first.options().dtype(compute_).requires_grad(false));
  }
  refresh();
}

at::Tensor StackedWeight::differentiable() const {
  std::vector<at::Tensor> values;
  for (const tensor::Parameter& part : parts_) values.push_back(part.value.to(compute_));
  return values.size() == 1 ? values[0] : at::cat(values);
}

at::Tensor StackedWeight::differentiable_bias() const {
  std::vector<at::Tensor> values;
  for (const tensor::Parameter& bias : biases_) values.push_back(bias.value.to(compute_));
  return values.empty() ? at::Tensor() : at::cat(values);
}

void StackedWeight::refresh() {
  at::NoGradGuard no_grad;
  int64_t row = 0;
  for (const tensor::Parameter& bias : biases_) {
    bias_shadow_.narrow(0, row, bias.value.size(0)).copy_(bias.value);
    row += bias.value.size(0);
  }
  if (is_alias_) return;
  row = 0;
  for (const tensor::Parameter& part : parts_) {
    shadow_.narrow(0, row, part.value.size(0)).copy_(part.value);
    row += part.value.size(0);
  }
}

void StackedWeight::add_gradient(const at::Tensor& d_y, const at::Tensor& x) const {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> grads;
  for (const tensor::Parameter& part : parts_) grads.push_back(part.grad);
  add_weight_gradient(path_, grads, d_y, x);
}

void StackedWeight::add_bias_gradient(const at::Tensor& d_y) const {
  at::NoGradGuard no_grad;
  at::Tensor total;
  if (by_plugin(path_)) {
    total = d_y.sum(0, /*keepdim=*/false, at::kFloat);
  } else {
    total = at::zeros({rows_}, at::kFloat);
    dispatch(d_y.scalar_type(), [&]<class T>(T*) {
      const T* rows = const_data<T>(d_y);
      const auto block = [&](int64_t begin, int64_t end, float* partial) {
        for (int64_t i = begin; i < end; ++i) accumulate(partial, rows + i * rows_, 1.0f, 0, rows_);
      };
      sum_over_rows(d_y.size(0), rows_, block, data<float>(total));
    });
  }
  add_scaled_bias(total, at::ones({}, total.options()));
}

void StackedWeight::add_scaled_bias(const at::Tensor& d_bias, const at::Tensor& scale) const {
  int64_t row = 0;
  for (const tensor::Parameter& bias : biases_) {
    bias.grad.addcmul_(d_bias.narrow(0, row, bias.value.size(0)), scale);
    row += bias.value.size(0);
  }
}

void StackedWeight::add_scaled(const at::Tensor& d_weight, double scale) const {
  int64_t row = 0;
  for (const tensor::Parameter& part : parts_) {
    accumulate_into(part.grad, d_weight.narrow(0, row, part.value.size(0)), scale);
    row += part.value.size(0);
  }
}

}  // namespace muonlab::ops
