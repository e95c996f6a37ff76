// A Muon step on the path cuda: the matrices of one layout in one batch, in the plugin's kernels
// and batched products, without the host.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/optim/orthogonalize.hpp"
#include "optim/muon_kernels.hpp"

namespace muonlab::optim {

// Matrices that agree in rows, columns and stride. They keep their orientation: a tall one is
// multiplied from the other side.
class DeviceGroup {
 public:
  DeviceGroup(const std::vector<Block>& blocks, at::Device device);

  const Block& block() const { return block_; }  // one of them
  int64_t count() const { return offsets_.numel(); }
  // numbers: fp32 [2], 1 - lr decay and lr times the scale of the shape. dtype: the iteration's.
  void enqueue(const at::Tensor& values, const at::Tensor& grads, const at::Tensor& momentum,
               const MomentumForm& form, const Coefficients& coefficients, at::ScalarType dtype,
               const at::Tensor& numbers, const at::Tensor& status) const;

 private:
  Block block_;
  at::Tensor offsets_;  // int64 [count], on the device
};

// Applies all of coefficients.steps to x_nrc, [n, r, c], whose singular values are at most 1.
at::Tensor newton_schulz_batched(at::Tensor x_nrc, const Coefficients& coefficients);

}  // namespace muonlab::optim
