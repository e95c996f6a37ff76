#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/tensor/parameter.hpp"

namespace muonlab::tensor {
namespace {

// 64 bytes of fp32: every parameter starts on a cache line, so kernels and sums see the same
// alignment in any layout.
constexpr int64_t kAlignment = 16;

}  // namespace

Arena::Arena(const std::vector<config::ParameterSpec>& specs, const std::vector<size_t>& order,
             at::ScalarType dtype, at::Device device)
    : offsets_(specs.size(), -1), order_(order) {
  base::check(order.size() == specs.size(), "arena: order does not cover the parameters");
  int64_t end = 0;
  for (size_t i : order) {
    base::check(offsets_.at(i) < 0, "arena: a parameter stands twice in the order");
    offsets_[i] = end;
    end += (specs[i].count() + kAlignment - 1) / kAlignment * kAlignment;
  }
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  values_ = at::zeros({end}, options);
  grads_ = at::zeros({end}, options);
  parameters_.reserve(specs.size());
  for (size_t i = 0; i < specs.size(); ++i) {
    const auto view = [&](const at::Tensor& flat) {
      return flat.narrow(0, offsets_[i], specs[i].count()).view(specs[i].shape);
    };
    // detach(): the leaf shares the arena's memory but is no view in autograd's eyes.
    Parameter parameter{specs[i], view(values_).detach(), view(grads_)};
    parameter.value.set_requires_grad(true);
    parameter.value.mutable_grad() = parameter.grad;
    parameters_.push_back(std::move(parameter));
  }
}

Parameter& Arena::find(const std::string& name) {
  for (Parameter& parameter : parameters_) {
    if (parameter.spec.name == name) return parameter;
  }
  throw base::Bug("arena: no parameter named " + name);
}

void Arena::zero_grads() { grads_.zero_(); }

}  // namespace muonlab::tensor
