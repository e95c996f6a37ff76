// The iteration inside orthogonalize(), on matrices that are normalized already.
#pragma once

#include <ATen/core/Tensor.h>

#include "muonlab/optim/orthogonalize.hpp"

namespace muonlab::optim {

// Applies all of coefficients.steps to x_nsl: contiguous [n, s, l] with s <= l, fp32 or bf16,
// singular values at most 1. The result may share x_nsl's memory; x_nsl's contents are lost. Runs
// in panel form (panels.hpp) where the processor has it. `workspace` is any tensor kept from call
// to call.
at::Tensor newton_schulz(at::Tensor x_nsl, const Coefficients& coefficients, at::Tensor& workspace);

// The same by three batched matrix products an iteration, on any device, in any floating type;
// x_nsl is left alone.
at::Tensor newton_schulz_plain(at::Tensor x_nsl, const Coefficients& coefficients);

// Exact polar factors of [n, s, l], by SVD in double; fp64 result.
at::Tensor svd_polar(const at::Tensor& x_nsl);

// 1 / (norm_factor |M|_F) from the squared Frobenius norm, or 0 for a matrix that counts as zero.
float start_factor(double squared_norm, double norm_factor);

}  // namespace muonlab::optim
