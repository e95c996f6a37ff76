// What the operators ask of their tensors, and the pointers that kernels take.
#pragma once

#include <optional>
#include <type_traits>
#include <vector>

#include <ATen/core/Tensor.h>

#include "cuda/number.hpp"

namespace muonlab::cuda {

using Optional = std::optional<at::Tensor>;

constexpr int kPack = 4;

// Calls f with a value of the type that stands for dtype.
template <class F>
void with_number(at::ScalarType dtype, const char* what, F f) {
  if (dtype == at::kFloat) {
    f(float{});
  } else {
    TORCH_CHECK(dtype == at::kBFloat16, what, " is ", dtype,
                "; the kernel takes float and bfloat16");
    f(Bf16{});
  }
}

inline void check(const at::Tensor& x, const at::Tensor& like, at::IntArrayRef shape,
                  at::ScalarType dtype, const char* what) {
  TORCH_CHECK(x.device() == like.device(), what, " is on ", x.device(), ", not on ", like.device());
  TORCH_CHECK(x.sizes() == shape, what, " has shape ", x.sizes(), ", not ", shape);
  TORCH_CHECK(x.scalar_type() == dtype, what, " is ", x.scalar_type(), ", not ", dtype);
  TORCH_CHECK(x.is_contiguous(), what, " is not contiguous");
}
inline void check(const Optional& x, const at::Tensor& like, at::IntArrayRef shape,
                  at::ScalarType dtype, const char* what) {
  if (x) check(*x, like, shape, dtype, what);
}

template <class Number>
const Number* read(const at::Tensor& x) {
  return static_cast<const Number*>(x.const_data_ptr());
}
template <class Number>
const Number* read(const Optional& x) {
  return x ? read<Number>(*x) : nullptr;
}
template <class Number>
Number* write(const at::Tensor& x) {
  return static_cast<Number*>(x.mutable_data_ptr());
}
template <class Number>
Number* write(const Optional& x) {
  return x && x->defined() ? write<Number>(*x) : nullptr;
}

// kPack where rows of `width` elements start on a pack's boundary in all arrays, else 1.
inline int pack_size(int64_t width, const std::vector<Optional>& arrays) {
  if (width % kPack != 0) return 1;
  for (const Optional& array : arrays) {
    if (!array) continue;
    const auto address = reinterpret_cast<uintptr_t>(array->const_data_ptr());
    if (address % (static_cast<size_t>(kPack) * array->element_size()) != 0) return 1;
  }
  return kPack;
}

}  // namespace muonlab::cuda
