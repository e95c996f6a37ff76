// Measures of a matrix's singular values (arXiv 2509.26030, appendix; papers.md §2).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

namespace muonlab::train {

// Of singular values s_1 >= … >= s_n with energies q_i = s_i² / Σ s_j². n is the length of the
// short side (for a product of two factors: their inner size), zeros included; 0 log 0 = 0. What is
// not defined is NaN: everything of a zero matrix, a ratio to a zero.
struct Spectrum {
  double entropy = 0;               // -Σ q_i log q_i / log n; 1 for n = 1
  double effective_rank = 0;        // exp(-Σ q_i log q_i), of energies (the paper)
  double effective_rank_plain = 0;  // the same of s_i / Σ s_j (Roy and Vetterli 2007)
  double top10_energy = 0;          // Σ_{i<=10} q_i
  double q75_q25 = 0;               // quartiles of {s_i²}, interpolated linearly
  double stable_rank = 0;           // Σ s_i² / s_1²
  double nuclear_rank = 0;          // (Σ s_i)² / Σ s_i² (arXiv 2512.04299)
  double condition = 0;             // s_1 / s_n
};

// `singular_values` in descending order, at least one. Values up to n 2^-52 s_1 are the rounding of
// zeros and count as 0.
Spectrum spectrum(std::span<const double> singular_values);

// Singular values in double, descending, of a CPU matrix [r, c] of finite values. Its last bits
// depend on the number of threads that LAPACK takes.
std::vector<double> singular_values(const at::Tensor& matrix);

// Root of the mean square, in double.
double root_mean_square(const at::Tensor& values);

}  // namespace muonlab::train
