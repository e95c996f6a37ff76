// Matrix least squares: labels y = x_outᵀ W* x_in, m outputs with covariance I, n inputs with
// covariance eigenvalues lambda_j = j^-a, no label noise. Error D_j = sum_i Delta_ij² of mode j,
// loss L = E r² / 2 = sum_j lambda_j D_j / 2 with the residual r.
//
// All laws suppose m and B much larger than n, B much smaller than m n, so that the gradient is
// mostly the batch's noise, of variance 2 L lambda_j / B an entry. Time is s = t B / m.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace muonlab::theory {

enum class SignRule { svd, sgd };

struct LeastSquares {
  int64_t outputs, inputs, batch;
  double covariance_exponent;  // a

  std::vector<double> eigenvalues() const;
  double trace(double power = 1) const;  // sum of lambda_j^power

  // Loss in the limit of many steps at a constant learning rate.
  double noise_floor(SignRule rule, double lr) const;
  // Half of the largest learning rate that lowers the loss when it is `loss`.
  double half_limit(SignRule rule, double loss) const;
};

// Loss at times s of a grid that grows geometrically, learning rate at half the limit.
struct LossCurve {
  std::vector<double> time, loss;
  double at(double s) const;                   // between the points by logarithms; NaN outside
  double slope(double from, double to) const;  // of log loss over log time
};
// The deterministic equations. D_j(0) = j^(-2 b).
LossCurve integrate(const LeastSquares& problem, SignRule rule, double target_exponent,
                    double last_time);

// A direct simulation, in a basis that is turned at random.
class Simulation {
 public:
  Simulation(const LeastSquares& problem, double target_exponent, int64_t seed);

  double loss() const;
  void scale_to(double loss);  // multiplies the error
  // One step; `lr` absent: at half the limit for the present loss.
  void step(SignRule rule, std::optional<double> lr = std::nullopt);

 private:
  LeastSquares problem_;
  int64_t seed_, steps_ = 0;
  at::Tensor roots_, basis_, error_;  // sqrt(lambda) [n], [n, n], Delta [m, n] in the turned basis
};

// <direction, Delta> of each mode over D_j, mean over batches, for square matrices with
// independent normal errors. `turned`: in a random basis, as SignSGD is not the same in every
// basis. tick() is called after every batch.
std::vector<double> mode_drifts(
    const LeastSquares& problem, SignRule rule, bool turned, int64_t batches, int64_t seed,
    const std::function<void()>& tick = [] {});

}  // namespace muonlab::theory
