// Runs a kernel's body on the host, block after block, and gives tensors as the kernels see them.
#pragma once

#include <ATen/ATen.h>

#include "cuda/launch.hpp"

namespace muonlab::cuda {

template <int kSize, class Body>
void run_grid(const Body& body, int64_t num_blocks, int lanes, int64_t scratch = 0) {
  for (int64_t block = 0; block < num_blocks; ++block) {
    HostTeam team(lanes, scratch);
    body.template run<kSize>(team, block, num_blocks);
  }
}

template <class Body>
void run_grid(const Body& body, int64_t num_blocks, int lanes, int size, int64_t scratch) {
  size == 4 ? run_grid<4>(body, num_blocks, lanes, scratch)
            : run_grid<1>(body, num_blocks, lanes, scratch);
}

// kPoison marks what a kernel was to write and did not.
constexpr double kPoison = 12345.0;

template <class Number>
constexpr at::ScalarType type_of() {
  return std::is_same_v<Number, Bf16> ? at::kBFloat16 : at::kFloat;
}

template <class Number>
Number* data(const at::Tensor& x) {
  return static_cast<Number*>(x.mutable_data_ptr());
}

template <class Number>
at::Tensor poisoned(at::IntArrayRef shape) {
  return at::full(shape, kPoison, type_of<Number>());
}

// Relative to the largest value: half a step of the type, twice for what is rounded on the way.
template <class Number>
constexpr double tolerance() {
  return std::is_same_v<Number, Bf16> ? 1.0 / 256 : 2e-6;
}

}  // namespace muonlab::cuda
