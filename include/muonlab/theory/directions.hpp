// Directions of descent from a gradient, in double: W <- W - eta direction(G).
#pragma once

#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>

#include "muonlab/optim/orthogonalize.hpp"

namespace muonlab::theory {

// Singular values up to this share of the largest one count as zero in the polar factor.
inline constexpr double kZeroSingular = 1e-7;

at::Tensor normalized(const at::Tensor& gradient);  // G / |G|_F; zeros stay zeros
at::Tensor sign_of(const at::Tensor& gradient);     // entry by entry
// U sign(Uᵀ G V) Vᵀ: the sign in the task's own basis (TRA-SignGD).
at::Tensor sign_in_basis(const at::Tensor& gradient, const at::Tensor& left,
                         const at::Tensor& right);
// U Vᵀ by an exact singular value decomposition. Batches [.., r, c] too.
at::Tensor polar(const at::Tensor& gradient, double zero = kZeroSingular);
// U h(S) Vᵀ with h(s) = s / sqrt(s² + lambda²).
at::Tensor soft_polar(const at::Tensor& gradient, double lambda);
// The Newton–Schulz iterations of a set of the optimizer floor, in double.
at::Tensor newton_schulz(const at::Tensor& gradient, config::Orthogonalizer set,
                         std::optional<int64_t> steps = std::nullopt);
// G (H + lambda I)^-1 with H symmetric and positive semi-definite: Newton's step where the Hessian
// is I ⊗ H.
at::Tensor newton(const at::Tensor& gradient, const at::Tensor& hessian, double lambda);

}  // namespace muonlab::theory
