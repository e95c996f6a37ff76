#include "least_squares.hpp"

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/fit.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {
namespace {

constexpr double kSignShare = 2 / std::numbers::pi;  // (E|x| / sd)² of a normal x

at::Tensor direction(SignRule rule, const at::Tensor& gradient) {
  return rule == SignRule::svd ? polar(gradient) : sign_of(gradient);
}

struct Samples {
  at::Tensor out, in;  // [B, m], [B, n]
};

Samples draw(const LeastSquares& problem, const at::Tensor& roots, const at::Tensor& basis,
             int64_t seed, int64_t number) {
  const at::Tensor z = normal_matrix(problem.batch, problem.outputs + problem.inputs, seed,
                                     base::str("batch ", number));
  return {z.narrow(1, 0, problem.outputs),
          (z.narrow(1, problem.outputs, problem.inputs) * roots).mm(basis.t())};
}

at::Tensor gradient_on(const Samples& samples, const at::Tensor& error) {
  const at::Tensor residual =
      (samples.out.mm(error) * samples.in).sum(1, /*keepdim=*/true);  // [B, 1]
  return (samples.out * residual).t().mm(samples.in) / static_cast<double>(samples.out.size(0));
}

// dD_j/ds = -decay_j D_j + noise_j L at half the learning rate's limit.
struct Equations {
  std::vector<double> decay, noise;
};

Equations equations(const LeastSquares& problem, SignRule rule) {
  const std::vector<double> lambda = problem.eigenvalues();
  const auto n = static_cast<double>(problem.inputs);
  Equations made;
  if (rule == SignRule::svd) {
    const double roots = problem.trace(0.5);
    for (const double value : lambda) {
      made.decay.push_back(2 * std::sqrt(value) / roots);
      made.noise.push_back(2 / (roots * roots));
    }
    return made;
  }
  const double trace = problem.trace(), mean = trace / n;
  for (const double value : lambda) {
    made.decay.push_back(2 * kSignShare * value / trace);
    made.noise.push_back(2 * kSignShare / (n * trace) *
                         (kSignShare * value / mean + 1 - kSignShare));
  }
  return made;
}

}  // namespace

std::vector<double> LeastSquares::eigenvalues() const {
  std::vector<double> values;
  for (int64_t j = 1; j <= inputs; ++j)
    values.push_back(std::pow(static_cast<double>(j), -covariance_exponent));
  return values;
}

double LeastSquares::trace(double power) const {
  double sum = 0;
  for (const double value : eigenvalues()) sum += std::pow(value, power);
  return sum;
}

double LeastSquares::noise_floor(SignRule rule, double lr) const {
  const auto m = static_cast<double>(outputs), n = static_cast<double>(inputs),
             b = static_cast<double>(batch);
  if (rule == SignRule::svd) return lr * lr * m * std::pow(trace(0.5), 2) / (8 * b);
  return std::numbers::pi * lr * lr * m * m * n * trace() / (16 * b);
}

double LeastSquares::half_limit(SignRule rule, double loss) const {
  return std::sqrt(loss / noise_floor(rule, 1)) / 2;
}

double LossCurve::at(double s) const {
  for (size_t i = 1; i < time.size(); ++i) {
    if (!(time[i - 1] <= s && s <= time[i])) continue;
    const double part = std::log(s / time[i - 1]) / std::log(time[i] / time[i - 1]);
    return loss[i - 1] * std::pow(loss[i] / loss[i - 1], part);
  }
  return NAN;
}

double LossCurve::slope(double from, double to) const {
  std::vector<double> x, y;
  for (size_t i = 0; i < time.size(); ++i) {
    if (time[i] < from || time[i] > to) continue;
    x.push_back(time[i]);
    y.push_back(loss[i]);
  }
  return fit_power(x, y).slope;
}

LossCurve integrate(const LeastSquares& problem, SignRule rule, double target_exponent,
                    double last_time) {
  const std::vector<double> lambda = problem.eigenvalues();
  const Equations law = equations(problem, rule);
  const size_t n = lambda.size();
  std::vector<double> d(n), next(n);
  for (size_t j = 0; j < n; ++j) d[j] = std::pow(static_cast<double>(j + 1), -2 * target_exponent);
  const auto loss_of = [&](const std::vector<double>& errors) {
    double sum = 0;
    for (size_t j = 0; j < n; ++j) sum += lambda[j] * errors[j];
    return sum / 2;
  };
  // Each mode exactly for a loss that is constant in the step; the mean of both ends makes the
  // method of second order.
  const auto advance = [&](double loss, double step, std::vector<double>& to) {
    for (size_t j = 0; j < n; ++j) {
      const double kept = std::exp(-law.decay[j] * step);
      to[j] = d[j] * kept + law.noise[j] * loss * (1 - kept) / law.decay[j];
    }
  };
  constexpr double kGrowth = 1.03;
  LossCurve curve;
  double time = 1e-3, loss = loss_of(d);
  curve.time.push_back(time);
  curve.loss.push_back(loss);
  while (time < last_time) {
    const double step = time * (kGrowth - 1);
    advance(loss, step, next);
    advance((loss + loss_of(next)) / 2, step, next);
    d.swap(next);
    time += step;
    loss = loss_of(d);
    curve.time.push_back(time);
    curve.loss.push_back(loss);
  }
  return curve;
}

Simulation::Simulation(const LeastSquares& problem, double target_exponent, int64_t seed)
    : problem_(problem),
      seed_(seed),
      roots_(at::sqrt(as_tensor(problem.eigenvalues()))),
      basis_(random_orthogonal(problem.inputs, seed, "basis")) {
  at::Tensor modes = normal_matrix(problem.outputs, problem.inputs, seed, "error");
  modes = modes / modes.norm(2, 0, /*keepdim=*/true);
  const at::Tensor size = at::pow(at::arange(1, problem.inputs + 1, at::kDouble), -target_exponent);
  error_ = (modes * size).mm(basis_.t());
}

double Simulation::loss() const {
  return (error_.mm(basis_) * roots_).square().sum().item<double>() / 2;
}

void Simulation::scale_to(double target) { error_ = error_ * std::sqrt(target / loss()); }

void Simulation::step(SignRule rule, std::optional<double> lr) {
  const Samples samples = draw(problem_, roots_, basis_, seed_, ++steps_);
  const at::Tensor gradient = gradient_on(samples, error_);
  error_ = error_ - (lr ? *lr : problem_.half_limit(rule, loss())) * direction(rule, gradient);
}

std::vector<double> mode_drifts(const LeastSquares& problem, SignRule rule, bool turned,
                                int64_t batches, int64_t seed, const std::function<void()>& tick) {
  const int64_t n = problem.inputs;
  const at::Tensor roots = at::sqrt(as_tensor(problem.eigenvalues()));
  const at::Tensor basis = turned ? random_orthogonal(n, seed, "basis") : identity(n);
  const at::Tensor error = normal_matrix(problem.outputs, n, seed, "error");  // by mode
  const at::Tensor turned_error = error.mm(basis.t());
  at::Tensor sum = at::zeros({n}, at::kDouble);
  for (int64_t i = 0; i < batches; ++i) {
    const Samples samples = draw(problem, roots, basis, seed, i);
    const at::Tensor update = direction(rule, gradient_on(samples, turned_error));
    sum += (update.mm(basis) * error).sum(0);
    tick();
  }
  const at::Tensor drift = sum / (static_cast<double>(batches) * error.square().sum(0));
  return {drift.const_data_ptr<double>(), drift.const_data_ptr<double>() + n};
}

}  // namespace muonlab::theory
