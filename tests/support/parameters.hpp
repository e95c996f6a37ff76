// Parameters for tests of single operations.
#pragma once

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "muonlab/base/philox.hpp"
#include "muonlab/tensor/parameter.hpp"

namespace muonlab::support {

// Standard normal numbers that depend on `stream` alone.
inline at::Tensor normal(at::IntArrayRef shape, uint64_t stream,
                         at::ScalarType dtype = at::kFloat) {
  const base::Philox random(7, base::Purpose::test, stream);
  at::Tensor values = at::empty(shape, at::kDouble);
  double* out = values.mutable_data_ptr<double>();
  for (int64_t i = 0; i < values.numel(); ++i) out[i] = random.normal(static_cast<uint64_t>(i));
  return values.to(dtype);
}

// Token ids in [0, bound).
inline at::Tensor ids(at::IntArrayRef shape, int64_t bound, uint64_t stream) {
  const base::Philox random(7, base::Purpose::test, stream);
  at::Tensor values = at::empty(shape, at::kLong);
  int64_t* out = values.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    out[i] =
        static_cast<int64_t>(random.below(static_cast<uint64_t>(i), static_cast<uint64_t>(bound)));
  }
  return values;
}

// A parameter outside any arena, with the same bond between value and grad.
inline tensor::Parameter parameter(const at::Tensor& value, const std::string& name = "p") {
  tensor::Parameter p;
  p.spec = {name, value.dim() == 1 ? config::Role::norm : config::Role::o, -1, value.sizes().vec()};
  p.value = value.detach().clone().set_requires_grad(true);
  p.grad = at::zeros_like(p.value.detach());
  p.value.mutable_grad() = p.grad;
  return p;
}

// A parameter that is a given tensor, for functions of that tensor; it has no grad of its own.
inline tensor::Parameter borrowed(const at::Tensor& value) {
  tensor::Parameter p;
  p.value = value;
  return p;
}

}  // namespace muonlab::support
