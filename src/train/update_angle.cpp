#include "muonlab/train/update_angle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <ATen/ATen.h>

#include "muonlab/optim/orthogonalize.hpp"

namespace muonlab::train {

double adam_muon_angle_deg(const at::Tensor& first, const at::Tensor& second) {
  const at::Tensor muon = optim::orthogonalize(first.unsqueeze(0), config::Orthogonalizer::exact,
                                               std::nullopt, at::kFloat)[0]
                              .to(at::kDouble);
  const at::Tensor m = first.to(at::kDouble);
  const at::Tensor adam =
      second.defined()
          ? at::where(second > 0, m / second.to(at::kDouble).sqrt(), at::zeros({}, m.options()))
          : m.sign();
  const double product = (muon * adam).sum().item<double>();
  const double lengths = muon.norm().item<double>() * adam.norm().item<double>();
  if (!(lengths > 0)) return std::numeric_limits<double>::quiet_NaN();
  return std::acos(std::clamp(product / lengths, -1.0, 1.0)) * 180.0 / std::numbers::pi;
}

}  // namespace muonlab::train
