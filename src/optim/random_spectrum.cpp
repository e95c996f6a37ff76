#include "optim/random_spectrum.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/philox.hpp"
#include "muonlab/tensor/runtime.hpp"

namespace muonlab::optim {

std::vector<double> random_singular_values(int64_t seed, const std::string& name, int64_t step,
                                           int64_t s) {
  const base::Philox random(static_cast<uint64_t>(seed), base::Purpose::update, name);
  std::vector<double> values(static_cast<size_t>(s));
  double squares = 0;
  for (int64_t i = 0; i < s; ++i) {
    double& value = values[static_cast<size_t>(i)];
    value = 1.0 - random.uniform(static_cast<uint64_t>(step * s + i));
    squares += value * value;
  }
  for (double& value : values) value *= std::sqrt(static_cast<double>(s) / squares);
  return values;
}

at::Tensor spectrum_factors(const at::Tensor& m_nsl,
                            const std::vector<std::vector<double>>& values) {
  const int64_t n = m_nsl.size(0), s = m_nsl.size(1);
  at::Tensor factors_nss = at::empty({n, s, s}, at::TensorOptions().dtype(at::kFloat));
  tensor::each_on_one_thread(n, [&](int64_t i) {
    const at::NoGradGuard no_grad;
    const at::Tensor m = m_nsl[i].cpu().to(at::kDouble);
    const at::Tensor u = std::get<1>(at::linalg_eigh(at::mm(m, m.t())));
    const at::Tensor r = at::tensor(values[static_cast<size_t>(i)], at::kDouble);
    factors_nss[i].copy_(at::mm(u * r, u.t()));
  });
  return factors_nss.to(m_nsl.device());
}

}  // namespace muonlab::optim
