#include "saddle_model.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/theory/directions.hpp"

namespace muonlab::theory {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;  // Adam's usual ones
constexpr int64_t kDirect = 96;  // up to this size all singular values are computed
constexpr int64_t kLanczos = 40;

}  // namespace

std::string_view escape_rule_name(EscapeRule rule) {
  switch (rule) {
    case EscapeRule::gd: return "GD, normalized";
    case EscapeRule::sign: return "SignGD";
    case EscapeRule::adam: return "Adam";
    case EscapeRule::muon: return "Muon";
  }
  throw base::Bug("a rule without a name");
}

std::string_view step_length_name(StepLength length) {
  switch (length) {
    case StepLength::equal_rms: return "equal RMS";
    case StepLength::equal_spectral: return "equal spectral norm";
    case StepLength::entry: return "entry step 1/n";
  }
  throw base::Bug("a length without a name");
}

double spectral_norm(const at::Tensor& matrix) {
  const int64_t n = matrix.size(1);
  if (n <= kDirect) return at::linalg_svdvals(matrix)[0].item<double>();
  // Lanczos on MᵀM. Ghosts of converged values do not change the largest.
  at::Tensor q = at::ones({n}, at::kDouble) / std::sqrt(static_cast<double>(n));
  at::Tensor before = at::zeros({n}, at::kDouble);
  at::Tensor tridiagonal = at::zeros({kLanczos, kLanczos}, at::kDouble);
  double beta = 0;
  for (int64_t k = 0; k < kLanczos; ++k) {
    at::Tensor w = matrix.t().mv(matrix.mv(q)) - beta * before;
    const double alpha = q.dot(w).item<double>();
    w = w - alpha * q;
    tridiagonal[k][k] = alpha;
    beta = w.norm().item<double>();
    if (k + 1 == kLanczos || beta < 1e-12 * alpha) break;
    tridiagonal[k][k + 1] = beta;
    tridiagonal[k + 1][k] = beta;
    before = q;
    q = w / beta;
  }
  return std::sqrt(at::linalg_eigvalsh(tridiagonal)[kLanczos - 1].item<double>());
}

Escape::Escape(const Saddle& saddle, EscapeRule rule, StepLength length, double step, double start)
    : saddle_(saddle), rule_(rule), length_(length), step_(step), s_(start) {
  if (rule != EscapeRule::adam) return;
  mean_ = at::zeros({saddle.n, saddle.n}, at::kDouble);
  square_ = at::zeros({saddle.n, saddle.n}, at::kDouble);
}

at::Tensor Escape::direction(const at::Tensor& gradient) {
  switch (rule_) {
    case EscapeRule::gd: return gradient;
    case EscapeRule::sign: return sign_of(gradient);
    case EscapeRule::adam: {
      const auto t = static_cast<double>(t_);
      mean_.mul_(kBeta1).add_(gradient, 1 - kBeta1);
      square_.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
      return (mean_ / (1 - std::pow(kBeta1, t))) /
             ((square_ / (1 - std::pow(kBeta2, t))).sqrt() + kEps);
    }
    case EscapeRule::muon: return polar(gradient);
  }
  throw base::Bug("a rule without a direction");
}

void Escape::advance(const at::Tensor& noise, const at::Tensor& u, const at::Tensor& v) {
  ++t_;
  const at::Tensor gradient = saddle_.noise * noise - (saddle_.curvature * s_) * at::outer(u, v);
  const at::Tensor d = direction(gradient);
  const auto n = static_cast<double>(saddle_.n);
  double scale = 0;
  switch (length_) {
    case StepLength::equal_rms: scale = std::sqrt(n) / d.norm().item<double>(); break;
    case StepLength::equal_spectral: scale = 1 / spectral_norm(d); break;
    case StepLength::entry: scale = 1 / d.norm().item<double>(); break;
  }
  s_ -= step_ * scale * u.dot(d.mv(v)).item<double>();
}

}  // namespace muonlab::theory
