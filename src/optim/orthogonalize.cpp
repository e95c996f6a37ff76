#include "muonlab/optim/orthogonalize.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "optim/newton_schulz.hpp"
#include "optim/panels.hpp"

namespace muonlab::optim {
namespace {

// Below this a matrix counts as zero. Only a guard against 0/0: fp32 gradients of any useful size
// are far above.
constexpr double kZeroNorm = 1e-30;

// Singular values up to this part of the Frobenius norm are no more than the rounding of fp32
// entries.
constexpr double kSingularRounding = 0x1p-24;

at::Tensor batched_svd_polar(const at::Tensor& x_nsl) {
  const at::NoGradGuard no_grad;
  const auto [u_nss, s_ns, vh_nsl] = at::linalg_svd(x_nsl.to(at::kDouble), /*full_matrices=*/false);
  const at::Tensor norm_n1 = at::linalg_vector_norm(s_ns, 2, at::IntArrayRef{1}, /*keepdim=*/true);
  const at::Tensor kept_ns = s_ns.gt(norm_n1 * kSingularRounding).logical_and_(s_ns.gt(kZeroNorm));
  return at::bmm(u_nss * kept_ns.unsqueeze(1), vh_nsl);
}

}  // namespace

float start_factor(double squared_norm, double norm_factor) {
  const double norm = std::sqrt(squared_norm);
  return norm > kZeroNorm ? static_cast<float>(1.0 / (norm * norm_factor)) : 0.0f;
}

at::Tensor newton_schulz_plain(at::Tensor x_nsl, const Coefficients& coefficients) {
  for (const Triple& t : coefficients.steps) {
    const at::Tensor gram_nss = at::bmm(x_nsl, x_nsl.transpose(1, 2));
    const at::Tensor poly_nss = at::baddbmm(gram_nss, gram_nss, gram_nss, t.b, t.c);
    x_nsl = at::baddbmm(x_nsl, poly_nss, x_nsl, t.a, 1.0);
  }
  return x_nsl;
}

at::Tensor newton_schulz(at::Tensor x_nsl, const Coefficients& coefficients,
                         at::Tensor& workspace) {
  const bool type_fits = x_nsl.scalar_type() == at::kFloat || x_nsl.scalar_type() == at::kBFloat16;
  if (!x_nsl.is_cpu() || !type_fits || !panels_available())
    return newton_schulz_plain(x_nsl, coefficients);
  newton_schulz_panels(x_nsl, coefficients, workspace);
  return x_nsl;
}

at::Tensor svd_polar(const at::Tensor& x_nsl) {
  if (!x_nsl.is_cpu()) return batched_svd_polar(x_nsl);
  at::Tensor polar_nsl = at::empty(x_nsl.sizes(), x_nsl.options().dtype(at::kDouble));
  tensor::each_on_one_thread(x_nsl.size(0), [&](int64_t i) {
    polar_nsl.narrow(0, i, 1).copy_(batched_svd_polar(x_nsl.narrow(0, i, 1)));
  });
  return polar_nsl;
}

at::Tensor orthogonalize(const at::Tensor& batch_nrc, config::Orthogonalizer orthogonalizer,
                         std::optional<int64_t> steps, at::ScalarType dtype) {
  base::check(batch_nrc.dim() == 3, "orthogonalize: expected [n, r, c]");
  const Coefficients coeffs = coefficients(orthogonalizer, steps);
  const bool tall = batch_nrc.size(1) > batch_nrc.size(2);
  const at::Tensor short_first = tall ? batch_nrc.transpose(1, 2) : batch_nrc;
  at::Tensor result;
  if (orthogonalizer == config::Orthogonalizer::svd) {
    result = svd_polar(short_first).to(at::kFloat);
  } else {
    const at::Tensor norm_n11 =
        at::linalg_vector_norm(short_first, 2, at::IntArrayRef{1, 2}, true, at::kDouble);
    const at::Tensor factor_n11 =
        at::where(norm_n11.gt(kZeroNorm), (norm_n11 * coeffs.norm_factor).reciprocal(),
                  at::zeros({}, norm_n11.options()));
    const at::Tensor x =
        at::mul(short_first.to(at::kFloat), factor_n11.to(at::kFloat)).to(dtype).contiguous();
    at::Tensor workspace;
    result = newton_schulz(x, coeffs, workspace);
  }
  return (tall ? result.transpose(1, 2) : result).contiguous();
}

}  // namespace muonlab::optim
