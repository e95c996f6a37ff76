// What the three orders of averaging and orthogonalizing make of a noisy signal.
#pragma once

#include <numeric>
#include <vector>

#include <ATen/ATen.h>

#include "muonlab/theory/denoise.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory::denoise {

// One signal under one level of noise: means over seeds, a value for each decay.
struct Curve {
  int64_t rank = 0;
  double noise = 0;
  std::vector<double> pre, post;  // alignment
  double single = 0;              // of one orthogonalized gradient, mean over the window too
  // of the average: the first singular value beyond the signal, its angle to the signal's space
  std::vector<double> rest, sine;
  int64_t violations = 0, checked = 0;  // of theorem 1
  double allowed = 0;                   // violations that it allows on average
};

struct Signal {
  at::Tensor left, right;  // [rows, r], [columns, r], orthonormal
  std::vector<double> values;

  at::Tensor matrix() const { return (left * as_tensor(values)).mm(right.t()); }
  double nuclear() const { return std::accumulate(values.begin(), values.end(), 0.0); }
};

// Its singular vectors are functions of the signal's seed.
Signal make_signal(const DenoiseConfig& config, int64_t rank);
// Weight of gradient t of `count` in the average after the last one, [betas, count].
at::Tensor average_weights(const std::vector<double>& betas, int64_t count);
// <polar factor of G, S>, from the smaller Gram matrix.
double polar_alignment(const at::Tensor& gradient, const Signal& signal);

struct Sweeps {
  std::vector<double> betas, levels;
  std::vector<Curve> by_beta, by_noise;  // by_noise: rank by rank, each level, the given decay
  std::vector<Curve> at_beta;            // at the given decay and noise, a rank each
};

Sweeps measure_all(const DenoiseConfig& config, Context& context);

// Theorem 3: rank one, few columns and more and more rows; mean alignment of one polar factor.
struct Spike {
  std::vector<double> rows, alignment;
};
Spike measure_spike(int64_t seeds, Context& context);

}  // namespace muonlab::theory::denoise
