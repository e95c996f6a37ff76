// Parameters and the two flat arenas (values and gradients) they are views of.
#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/config/role.hpp"

namespace muonlab::tensor {

// A trainable tensor. value is an fp32 leaf that requires a gradient (the master weight); grad is
// where its gradient is summed, and is also value.grad(). Both are contiguous views into the
// arenas, 64-byte aligned.
struct Parameter {
  config::ParameterSpec spec;
  at::Tensor value;
  at::Tensor grad;

  bool is_matrix() const { return spec.shape.size() == 2; }
};

// Owns the storage. `order` lists indices into specs: the layout of the arena (by optimizer, then
// shape), so that parameters of one optimizer are one range and equal shapes can be viewed as one
// batch. parameters() keeps the order of specs. Gaps from alignment hold zeros in both arenas.
class Arena {
 public:
  // dtype is fp32 in training; double in gradient checks.
  Arena(const std::vector<config::ParameterSpec>& specs, const std::vector<size_t>& order,
        at::ScalarType dtype = at::kFloat, at::Device device = at::kCPU);

  std::vector<Parameter>& parameters() { return parameters_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  Parameter& find(const std::string& name);  // throws base::Bug when absent

  at::Tensor values() const { return values_; }  // flat [n]
  at::Tensor grads() const { return grads_; }    // flat [n]
  // Offset in elements of parameter i (index into parameters()) in both arenas.
  int64_t offset(size_t i) const { return offsets_[i]; }
  const std::vector<size_t>& order() const { return order_; }

  void zero_grads();

 private:
  std::vector<Parameter> parameters_;
  std::vector<int64_t> offsets_;
  std::vector<size_t> order_;
  at::Tensor values_, grads_;
};

// A tensor with a name, as it goes into a checkpoint.
struct NamedTensor {
  std::string name;
  at::Tensor value;
};

}  // namespace muonlab::tensor
