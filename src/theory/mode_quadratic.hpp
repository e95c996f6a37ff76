// The quadratic of arXiv 2606.04662: a Hessian that is diagonal on rank-one modes u_i v_iᵀ.
#pragma once

#include <cstdint>
#include <vector>

namespace muonlab::theory {

// Of each mode: curvature w_i and coefficient sigma_i of the gradient at the start.
struct ModeQuadratic {
  std::vector<double> curvature, gradient;

  // `sharp` modes of one kind, then modes of the other up to `modes`.
  static ModeQuadratic two_kinds(int64_t modes, int64_t sharp, double sharp_curvature,
                                 double flat_curvature, double sharp_gradient,
                                 double flat_gradient);
};

enum class ModeRule {
  gradient_descent,  // the gradient itself
  muon,              // its sign on every mode: the polar factor
};

// With exact line search, no momentum. gap[t]: loss above its minimum after t steps (t = 0 is the
// start). nds[t]: normalized directional sharpness of step t + 1.
struct ModePath {
  std::vector<double> gap, nds;
};
ModePath descend(const ModeQuadratic& quadratic, ModeRule rule, int64_t steps);

}  // namespace muonlab::theory
