#include "muonlab/theory/directions.hpp"

#include <ATen/ATen.h>

namespace muonlab::theory {
namespace {

// U h(S) Vᵀ, where h() makes weights of the singular values.
template <class Weigh>
at::Tensor with_spectrum(const at::Tensor& gradient, Weigh&& weigh) {
  const auto [u, s, vh] = at::linalg_svd(gradient, /*full_matrices=*/false);
  return at::matmul(u * weigh(s).unsqueeze(-2), vh);
}

}  // namespace

at::Tensor normalized(const at::Tensor& gradient) {
  const double norm = gradient.norm().item<double>();
  return norm > 0 ? gradient / norm : at::zeros_like(gradient);
}

at::Tensor sign_of(const at::Tensor& gradient) { return at::sign(gradient); }

at::Tensor sign_in_basis(const at::Tensor& gradient, const at::Tensor& left,
                         const at::Tensor& right) {
  return left.mm(at::sign(left.t().mm(gradient).mm(right))).mm(right.t());
}

at::Tensor polar(const at::Tensor& gradient, double zero) {
  return with_spectrum(gradient, [&](const at::Tensor& s) {
    const at::Tensor largest = s.amax(-1, /*keepdim=*/true);
    return at::logical_and(s > zero * largest, s > 0).to(s.scalar_type());
  });
}

at::Tensor soft_polar(const at::Tensor& gradient, double lambda) {
  if (lambda == 0) return polar(gradient);
  return with_spectrum(gradient,
                       [&](const at::Tensor& s) { return s / at::sqrt(s * s + lambda * lambda); });
}

at::Tensor newton_schulz(const at::Tensor& gradient, config::Orthogonalizer set,
                         std::optional<int64_t> steps) {
  if (set == config::Orthogonalizer::svd) return polar(gradient);
  const optim::Coefficients coefficients = optim::coefficients(set, steps);
  const double norm = gradient.norm().item<double>();
  if (norm == 0) return at::zeros_like(gradient);
  const bool tall = gradient.size(0) > gradient.size(1);
  at::Tensor x = (tall ? gradient.t() : gradient) / (norm * coefficients.norm_factor);
  for (const auto& [a, b, c] : coefficients.steps) {
    const at::Tensor square = x.mm(x.t());
    x = a * x + (b * square + c * square.mm(square)).mm(x);
  }
  return tall ? x.t().contiguous() : x;
}

at::Tensor newton(const at::Tensor& gradient, const at::Tensor& hessian, double lambda) {
  const at::Tensor damped = hessian + lambda * at::eye(hessian.size(0), hessian.options());
  return at::linalg_solve(damped, gradient, /*left=*/false);
}

}  // namespace muonlab::theory
