// f(W) = -(mu/2) (uᵀ W v)² with fresh Gaussian noise on every entry of the gradient: only s = uᵀ W
// v matters, G = -mu s u vᵀ + sigma Z.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

namespace muonlab::theory {

enum class EscapeRule { gd, sign, adam, muon };
std::string_view escape_rule_name(EscapeRule rule);

// How long a step is. Muon's step eta O has spectral norm eta and Frobenius norm eta sqrt(n).
enum class StepLength {
  equal_rms,       // Frobenius norm eta sqrt(n), as Muon's
  equal_spectral,  // spectral norm eta, as Muon's
  entry            // entries of RMS eta/n, so Frobenius norm eta
};
std::string_view step_length_name(StepLength length);

struct Saddle {
  int64_t n;
  double curvature, noise;
};

// One rule on its way out of the saddle. The direction is rescaled to the length at every step.
class Escape {
 public:
  Escape(const Saddle& saddle, EscapeRule rule, StepLength length, double step, double start);
  // One step with this noise [n, n] and these unit vectors [n].
  void advance(const at::Tensor& noise, const at::Tensor& u, const at::Tensor& v);
  double position() const { return s_; }
  EscapeRule rule() const { return rule_; }
  StepLength length() const { return length_; }

 private:
  at::Tensor direction(const at::Tensor& gradient);

  Saddle saddle_;
  EscapeRule rule_;
  StepLength length_;
  double step_, s_;
  int64_t t_ = 0;
  at::Tensor mean_, square_;  // Adam's moments
};

// The largest singular value, to about three digits: Lanczos for large matrices.
double spectral_norm(const at::Tensor& matrix);

}  // namespace muonlab::theory
