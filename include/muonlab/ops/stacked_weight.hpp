// The weight of a linear map as the compute path sees it: one matrix, made of one or more
// parameters, and perhaps a bias.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/tensor/parameter.hpp"
#include "muonlab/tensor/path.hpp"

namespace muonlab::ops {

// Parameters [r_i, c] with equal c, stacked to [r, c], r = sum r_i. Q, K and V (or the two input
// matrices of a gated feed-forward) stay separate parameters but run as one matrix product.
class StackedWeight {
 public:
  // compute: dtype of the matrix product, kBFloat16 or the parameters' own. The shadow has rows of
  // zeros appended up to a multiple of `row_multiple` (fused only): padding for speed that no
  // parameter and no result shows. biases: none, or [r_i] for each part.
  StackedWeight(std::vector<tensor::Parameter> parts, tensor::Path path, at::ScalarType compute,
                int64_t row_multiple = 1, std::vector<tensor::Parameter> biases = {});

  tensor::Path path() const { return path_; }
  at::ScalarType compute() const { return compute_; }
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  const std::vector<tensor::Parameter>& parts() const { return parts_; }
  bool has_bias() const { return !biases_.empty(); }

  // The matrix [r, c] in the compute dtype, differentiable with respect to the parameters.
  at::Tensor differentiable() const;
  // The bias [r] likewise; undefined for none.
  at::Tensor differentiable_bias() const;
  // The matrix [r + padding, c] in the compute dtype, without a graph: as of the last refresh().
  const at::Tensor& shadow() const { return shadow_; }
  // The bias [r], likewise.
  const at::Tensor& bias_shadow() const { return bias_shadow_; }
  // Call after the parameters changed.
  void refresh();
  // Adds d_y^T x to the parts' grads; d_y [n, r], x [n, c] in the compute dtype, which is fp32 or
  // bf16.
  void add_gradient(const at::Tensor& d_y, const at::Tensor& x) const;
  // Adds scale * d_weight [r or more rows, c], fp32 or bf16, to the parts' grads.
  void add_scaled(const at::Tensor& d_weight, double scale) const;
  // Adds the sum over rows of d_y [n, r], fp32 or bf16, to the biases' grads.
  void add_bias_gradient(const at::Tensor& d_y) const;
  // Adds scale * d_bias [r], fp32, to the biases' grads.
  void add_scaled_bias(const at::Tensor& d_bias, const at::Tensor& scale) const;

 private:
  std::vector<tensor::Parameter> parts_, biases_;
  tensor::Path path_;
  at::ScalarType compute_;
  int64_t rows_ = 0;
  int64_t columns_ = 0;
  bool is_alias_ = false;  // the shadow is the only part itself
  at::Tensor shadow_, bias_shadow_;
};

}  // namespace muonlab::ops
