// The polar factor U Vᵀ of matrices M = U S Vᵀ, by Newton–Schulz iterations or by SVD (reference:
// muon.md §1-2).
//
// One iteration is X <- a X + (b A + c A A) X with A = X Xᵀ on the short side; it maps every
// singular value s to p(s) = a s + b s³ + c s⁵ and leaves the singular vectors alone. X starts as M
// / (norm_factor |M|_F), so that no singular value exceeds 1.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/config/optim.hpp"

namespace muonlab::optim {

// One iteration's polynomial a s + b s³ + c s⁵.
struct Triple {
  double a, b, c;
};

struct Coefficients {
  std::vector<Triple> steps;
  double norm_factor = 1.0;
};

// The iterations that a setting stands for; `steps` absent is the set's own number.
//   keller         (3.4445, -4.7750, 2.0315), 1 to 20 times (5): singular values end in about
//   [0.68, 1.13] you            YouJiacheng's five triples: [0.98, 1.03] from 0.01 up polar_express
//   5 steps: modded-nanogpt's list, made for a safety of 2 %, with norm_factor 1.02;
//                  6 to 8 steps: the first ones of the paper's list (arXiv 2505.16932) for a lower
//                  bound of 1e-3, all but the eighth triple with the paper's safety 1.01, (a/s,
//                  b/s³, c/s⁵); without it the list diverges at 1.01
//   exact          keller x 8, then (2, -1.5, 0.5) x 2: [1.000, 1.001] from 1e-3 up; 10 steps, no
//   other number svd            no iterations: empty
// Throws base::Error for a number of steps the set has not.
Coefficients coefficients(config::Orthogonalizer orthogonalizer, std::optional<int64_t> steps);

// The number type the iteration runs in: at::kFloat, at::kBFloat16, or at::kDouble for svd. "auto"
// is bf16 where the run's precision is bf16, except for `exact`, which is fp32: bf16 rounds by more
// than the last steps gain. Throws base::Error for pairs that ask for what cannot be: exact or svd
// in bf16.
at::ScalarType iteration_type(config::Orthogonalizer orthogonalizer, config::IterationType type,
                              bool bf16_run);

// Polar factors of a batch of matrices [n, r, c], in any strides, fp32 or bf16 or double; the input
// is not written. Returns a new contiguous tensor [n, r, c]: of `dtype` for iterations, fp32 for
// svd. A matrix whose Frobenius norm is at most 1e-30 counts as zero and gives zeros; the result
// does not otherwise depend on the input's scale. svd drops singular values up to 2^-24 of the
// Frobenius norm, which are rounding in fp32 entries.
at::Tensor orthogonalize(const at::Tensor& batch_nrc, config::Orthogonalizer orthogonalizer,
                         std::optional<int64_t> steps, at::ScalarType dtype);

}  // namespace muonlab::optim
