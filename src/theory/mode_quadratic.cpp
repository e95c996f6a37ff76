#include "mode_quadratic.hpp"

namespace muonlab::theory {

ModeQuadratic ModeQuadratic::two_kinds(int64_t modes, int64_t sharp, double sharp_curvature,
                                       double flat_curvature, double sharp_gradient,
                                       double flat_gradient) {
  ModeQuadratic quadratic;
  for (int64_t i = 0; i < modes; ++i) {
    quadratic.curvature.push_back(i < sharp ? sharp_curvature : flat_curvature);
    quadratic.gradient.push_back(i < sharp ? sharp_gradient : flat_gradient);
  }
  return quadratic;
}

ModePath descend(const ModeQuadratic& quadratic, ModeRule rule, int64_t steps) {
  const std::vector<double>& w = quadratic.curvature;
  std::vector<double> g = quadratic.gradient;
  const auto gap = [&] {
    double sum = 0;
    for (size_t i = 0; i < g.size(); ++i) sum += g[i] * g[i] / (2 * w[i]);
    return sum;
  };
  ModePath path{{gap()}, {}};
  for (int64_t t = 0; t < steps; ++t) {
    double slope = 0, curvature = 0, size = 0;
    std::vector<double> z(g.size());
    for (size_t i = 0; i < g.size(); ++i) {
      const double sign = static_cast<double>((g[i] > 0) - (g[i] < 0));
      z[i] = rule == ModeRule::muon ? sign : g[i];
      slope += g[i] * z[i];
      curvature += w[i] * z[i] * z[i];
      size += z[i] * z[i];
    }
    if (!(size > 0)) break;  // at the minimum
    for (size_t i = 0; i < g.size(); ++i) g[i] -= slope / curvature * w[i] * z[i];
    path.gap.push_back(gap());
    path.nds.push_back(curvature / size);
  }
  return path;
}

}  // namespace muonlab::theory
