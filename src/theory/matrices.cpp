#include "muonlab/theory/matrices.hpp"

#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/philox.hpp"

namespace muonlab::theory {

at::Tensor normal_matrix(int64_t rows, int64_t columns, int64_t seed, std::string_view stream) {
  const base::Philox random(static_cast<uint64_t>(seed), base::Purpose::theory, stream);
  at::Tensor matrix = at::empty({rows, columns}, at::kDouble);
  double* out = matrix.data_ptr<double>();
  for (int64_t i = 0; i < rows * columns; ++i) out[i] = random.normal(static_cast<uint64_t>(i));
  return matrix;
}

at::Tensor random_orthogonal(int64_t n, int64_t seed, std::string_view stream) {
  const auto [q, r] = at::linalg_qr(normal_matrix(n, n, seed, stream));
  return q * at::sign(r.diagonal()).unsqueeze(0);
}

at::Tensor euler_rotation(double a, double b, double c) {
  const double ca = std::cos(a), sa = std::sin(a), cb = std::cos(b), sb = std::sin(b),
               cc = std::cos(c), sc = std::sin(c);
  return as_tensor({ca * cb * cc - sa * sc, -ca * cb * sc - sa * cc, ca * sb,  //
                    sa * cb * cc + ca * sc, -sa * cb * sc + ca * cc, sa * sb,  //
                    -sb * cc, sb * sc, cb})
      .view({3, 3});
}

at::Tensor repeated_block(const at::Tensor& block, int64_t n) {
  base::check(n % block.size(0) == 0, "blocks that fill a matrix");
  return at::kron(identity(n / block.size(0)), block);
}

at::Tensor identity(int64_t n) { return at::eye(n, at::kDouble); }

at::Tensor as_tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

std::vector<double> power_law(int64_t n, double exponent) {
  std::vector<double> p(static_cast<size_t>(n));
  for (size_t i = 0; i < p.size(); ++i) p[i] = std::pow(static_cast<double>(i + 1), -exponent);
  const double sum = std::accumulate(p.rbegin(), p.rend(), 0.0);
  for (double& value : p) value /= sum;
  return p;
}

std::vector<double> two_classes(int64_t n, int64_t head, double mass) {
  base::check(head > 0 && head < n, "both classes have members");
  std::vector<double> p(static_cast<size_t>(n), (1 - mass) / static_cast<double>(n - head));
  for (size_t i = 0; i < static_cast<size_t>(head); ++i) p[i] = mass / static_cast<double>(head);
  return p;
}

}  // namespace muonlab::theory
