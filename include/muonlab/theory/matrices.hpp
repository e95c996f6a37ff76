// Matrices and laws that experiments start from: doubles, functions of the seed.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

namespace muonlab::theory {

// Independent standard normal entries [rows, columns]; different streams are independent.
at::Tensor normal_matrix(int64_t rows, int64_t columns, int64_t seed, std::string_view stream);
// Orthogonal [n, n], uniform (Haar): Q of a normal matrix with the signs of R's diagonal.
at::Tensor random_orthogonal(int64_t n, int64_t seed, std::string_view stream);
// The rotation by Euler angles z-y-z of arXiv 2509.26030, 3 x 3.
at::Tensor euler_rotation(double a, double b, double c);
// I ⊗ block, [n, n]; n must be a multiple of the block's size.
at::Tensor repeated_block(const at::Tensor& block, int64_t n);
at::Tensor identity(int64_t n);
at::Tensor as_tensor(const std::vector<double>& values);

// Frequencies that sum to 1. power_law: proportional to i^-exponent, i from 1.
std::vector<double> power_law(int64_t n, double exponent);
// The first `head` of n share `mass`, the others 1 - mass.
std::vector<double> two_classes(int64_t n, int64_t head, double mass);

}  // namespace muonlab::theory
