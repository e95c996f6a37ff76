// The Kaon control (arXiv 2605.11181): Muon's singular vectors with random singular values. If it
// does as well as Muon, a flat spectrum is not what helps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace muonlab::optim {

// The singular values of one update: s independent uniform numbers of (0, 1], scaled to a mean
// square of 1, so that the update has the Frobenius norm of Muon's. A function of seed, the
// matrix's name and the step.
std::vector<double> random_singular_values(int64_t seed, const std::string& name, int64_t step,
                                           int64_t s);

// For each matrix U S Vᵀ of m_nsl [n, s, l], s <= l, and its values r_i: U diag(r_i) Uᵀ, which
// turns the polar factor U Vᵀ into U diag(r_i) Vᵀ. U are the eigenvectors of M Mᵀ in double, each
// matrix on one thread. Returns fp32 [n, s, s].
at::Tensor spectrum_factors(const at::Tensor& m_nsl,
                            const std::vector<std::vector<double>>& values);

}  // namespace muonlab::optim
