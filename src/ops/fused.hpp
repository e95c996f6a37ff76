// From tensors to kernels.
#pragma once

#include <optional>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "muonlab/base/error.hpp"
#include "muonlab/tensor/path.hpp"
#include "ops/simd.hpp"

namespace muonlab::ops {

// Whether an operation has a hand-written backward, over contiguous tensors of fp32 or bf16.
inline bool is_fused(tensor::Path path) { return path != tensor::Path::reference; }
// Whether its kernels are the plugin's.
inline bool by_plugin(tensor::Path path) { return path == tensor::Path::cuda; }

// What the plugin takes for a tensor that may be undefined.
inline std::optional<at::Tensor> if_defined(const at::Tensor& x) {
  return x.defined() ? std::optional(x) : std::nullopt;
}

template <class T>
struct DtypeOf;
template <>
struct DtypeOf<float> {
  static constexpr at::ScalarType value = at::kFloat;
};
template <>
struct DtypeOf<Bf16> {
  static constexpr at::ScalarType value = at::kBFloat16;
};
template <>
struct DtypeOf<int64_t> {
  static constexpr at::ScalarType value = at::kLong;
};

// Pointers to contiguous data; null for an undefined tensor.
template <class T>
T* data(const at::Tensor& x) {
  if (!x.defined()) return nullptr;
  base::check(x.is_contiguous() && x.scalar_type() == DtypeOf<T>::value,
              "kernel: layout or dtype of a tensor");
  return static_cast<T*>(x.mutable_data_ptr());
}
template <class T>
const T* const_data(const at::Tensor& x) {
  return data<T>(x);
}

// Calls f with a null pointer of the kernel's number type: f((float*)…) or f((Bf16*)…).
template <class F>
void dispatch(at::ScalarType dtype, const F& f) {
  if (dtype == at::kFloat) return f(static_cast<float*>(nullptr));
  base::check(dtype == at::kBFloat16, "kernel: neither fp32 nor bf16");
  f(static_cast<Bf16*>(nullptr));
}

// f(begin, end) over [0, n), split among the threads in pieces of at least about 16k numbers.
template <class F>
void for_rows(int64_t n, int64_t numbers_a_row, const F& f) {
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(numbers_a_row, 1));
  at::parallel_for(0, n, grain, f);
}

// Sums over rows that do not depend on the number of threads: f(begin, end, partial) adds rows
// [begin, end) to partial [w]; the blocks are always the same and are added to `total` [w] in
// order.
constexpr int64_t kRowBlocks = 32;
void sum_over_rows(int64_t n, int64_t w, const std::function<void(int64_t, int64_t, float*)>& f,
                   float* total);

// y += scale * x, both flat and of one length; y fp32, x fp32 or bf16.
void accumulate_into(const at::Tensor& y, const at::Tensor& x, double scale = 1.0);

}  // namespace muonlab::ops
