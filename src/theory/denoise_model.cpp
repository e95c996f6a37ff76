#include "denoise_model.hpp"

#include <algorithm>
#include <cmath>

#include "muonlab/base/error.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/tensor/runtime.hpp"

namespace muonlab::theory {

std::vector<double> denoise_signal(int64_t rank) {
  if (rank == 1) return {12};
  if (rank == 3) return {12, 8, 5};
  const bool paper = rank == 5 || rank == 10 || rank == 15;
  const double step = rank == 5    ? 2
                      : rank == 10 ? 1
                      : paper      ? 0.5
                                   : 8 / static_cast<double>(rank - 1);
  std::vector<double> values;
  for (int64_t k = 0; k < rank; ++k) values.push_back(12 - step * static_cast<double>(k));
  return values;
}

at::Tensor arch_noise(int64_t count, int64_t rows, int64_t columns, double arch, int64_t seed) {
  at::Tensor noise = normal_matrix(count, rows * columns, seed, "arch noise");
  double* values = noise.mutable_data_ptr<double>();
  const int64_t entries = rows * columns;
  for (int64_t i = entries; i < count * entries; ++i) {
    const double last = values[i - entries];
    values[i] *= std::sqrt(1 - arch + arch * last * last);
  }
  return noise.view({count, rows, columns});
}

namespace denoise {

Signal make_signal(const DenoiseConfig& config, int64_t rank) {
  const auto factor = [&](int64_t size, const char* stream) {
    return std::get<0>(at::linalg_qr(normal_matrix(size, rank, config.signal_seed, stream)));
  };
  return {factor(config.rows, "left"), factor(config.columns, "right"), denoise_signal(rank)};
}

static std::vector<double> decays(int64_t count) {
  std::vector<double> betas;
  for (int64_t i = 0; i < count; ++i)
    betas.push_back(1 - std::pow(200.0, -static_cast<double>(i) / static_cast<double>(count - 1)));
  return betas;
}

at::Tensor average_weights(const std::vector<double>& betas, int64_t count) {
  std::vector<double> weights;
  for (const double beta : betas) {
    for (int64_t t = 0; t < count; ++t)
      weights.push_back((1 - beta) * std::pow(beta, static_cast<double>(count - 1 - t)));
  }
  return as_tensor(weights).view({std::ssize(betas), count});
}

double polar_alignment(const at::Tensor& gradient, const Signal& signal) {
  const bool wide = gradient.size(0) < gradient.size(1);
  const at::Tensor g = wide ? gradient.t() : gradient;
  const at::Tensor& left = wide ? signal.right : signal.left;
  const at::Tensor& right = wide ? signal.left : signal.right;
  const auto [squares, q] = at::linalg_eigh(g.t().mm(g));
  const at::Tensor inverse = squares.clamp_min(1e-14 * squares[-1].item<double>()).rsqrt();
  const at::Tensor turned = q.t().mm(right * as_tensor(signal.values)) * inverse.unsqueeze(1);
  return (g.t().mm(left) * q.mm(turned)).sum().item<double>();
}

// Adds what one seed contributes to a curve, given as shares of the seeds.
class SeedRun {
 public:
  SeedRun(const DenoiseConfig& config, int64_t seed, const std::vector<double>& betas)
      : config_(config),
        betas_(betas),
        noise_(arch_noise(config.gradients, config.rows, config.columns, config.arch, seed)),
        averaged_(at::mm(average_weights(betas, config.gradients), noise_.flatten(1))
                      .view({std::ssize(betas), config.rows, config.columns})) {}

  Curve measure(const Signal& signal, double level) const {
    Curve curve{.rank = std::ssize(signal.values),
                .noise = level,
                .pre = {},
                .post = {},
                .rest = {},
                .sine = {}};
    const at::Tensor clean = signal.matrix();
    const std::vector<double> single = orthogonalized(clean, signal, level);
    curve.single =
        std::accumulate(single.begin(), single.end(), 0.0) / static_cast<double>(single.size());
    for (size_t i = 0; i < betas_.size() && base::stop_requested() == 0; ++i) {
      const double beta = betas_[i], steps = static_cast<double>(config_.gradients);
      const double grown = 1 - std::pow(beta, steps);
      const at::Tensor average = clean * grown + averaged_[static_cast<int64_t>(i)] * level;
      measure_average(average, signal, level, beta, grown, curve);
      double sum = 0, weights = 0;
      for (size_t t = 0; t < single.size(); ++t) {
        const double weight = std::pow(beta, static_cast<double>(single.size() - 1 - t));
        sum += weight * single[t];
        weights += weight;
      }
      curve.post.push_back(sum / weights * grown);
    }
    return curve;
  }

 private:
  // Alignment of the last gradients' polar factors, in their order.
  std::vector<double> orthogonalized(const at::Tensor& clean, const Signal& signal,
                                     double level) const {
    std::vector<double> alignments;
    const int64_t window = std::min(config_.window, config_.gradients);
    for (int64_t t = config_.gradients - window;
         t < config_.gradients && base::stop_requested() == 0; ++t)
      alignments.push_back(polar_alignment(clean + noise_[t] * level, signal) / signal.nuclear());
    return alignments;
  }

  void measure_average(const at::Tensor& average, const Signal& signal, double level, double beta,
                       double grown, Curve& curve) const {
    const auto [u, s, vh] = at::linalg_svd(average, /*full_matrices=*/false);
    const int64_t rank = std::ssize(signal.values);
    const at::Tensor left = u.t().mm(signal.left);  // [k, r]
    const at::Tensor right = vh.mm(signal.right);   // [k, r]
    curve.pre.push_back((left * right * as_tensor(signal.values)).sum().item<double>() /
                        signal.nuclear());
    curve.rest.push_back(s[rank].item<double>());
    const at::Tensor cosines = at::linalg_svdvals(left.narrow(0, 0, rank));
    const double least = std::min(1.0, cosines.min().item<double>());
    curve.sine.push_back(std::sqrt(1 - least * least));
    // Theorem 1 with eta = E|noise|² and the average's own share of the signal.
    const double horizon = 2 / (1 - beta) - 1;
    const double entries = static_cast<double>(config_.rows * config_.columns);
    const double bound = level * std::sqrt(entries) / std::pow(horizon, 0.25);
    // Written so that what is no number counts as a violation.
    bool fails = !(s[rank].item<double>() <= bound);
    for (int64_t k = 0; k < rank; ++k)
      fails |= !(s[k].item<double>() >= grown * signal.values[static_cast<size_t>(k)] - bound);
    curve.violations += fails ? 1 : 0;
    ++curve.checked;
    curve.allowed += 1 / std::sqrt(horizon);
  }

  const DenoiseConfig& config_;
  const std::vector<double>& betas_;
  at::Tensor noise_, averaged_;
};

static void add(std::vector<double>& sums, const std::vector<double>& values, double share) {
  sums.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) sums[i] += share * values[i];
}

static void add(Curve& sum, const Curve& one, double share) {
  sum.rank = one.rank;
  sum.noise = one.noise;
  add(sum.pre, one.pre, share);
  add(sum.post, one.post, share);
  add(sum.rest, one.rest, share);
  add(sum.sine, one.sine, share);
  sum.single += share * one.single;
  sum.violations += one.violations;
  sum.checked += one.checked;
  sum.allowed += one.allowed;
}

// Seeds side by side on the compute threads.
Sweeps measure_all(const DenoiseConfig& config, Context& context) {
  Sweeps sweeps{
      .betas = decays(config.betas), .levels = {}, .by_beta = {}, .by_noise = {}, .at_beta = {}};
  for (int64_t i = 0; i < config.noise_levels; ++i) {
    sweeps.levels.push_back(0.2 * std::pow(25.0, static_cast<double>(i) /
                                                     static_cast<double>(config.noise_levels - 1)));
  }
  std::vector<Signal> signals;
  for (const int64_t rank : config.ranks) signals.push_back(make_signal(config, rank));
  const size_t num_levels = sweeps.levels.size();
  sweeps.by_beta.resize(signals.size());
  sweeps.by_noise.resize(signals.size() * num_levels);
  sweeps.at_beta.resize(signals.size());
  const std::vector<double> one_beta{config.beta};
  const double share = 1 / static_cast<double>(config.seeds);
  // Two seeds at a time, so that progress is told between them. A stop is heard inside and leaves
  // curves that are too short; the next call of progress() throws before they are used.
  constexpr int64_t kTogether = 2;
  for (int64_t first = 0; first < config.seeds; first += kTogether) {
    const int64_t count = std::min(kTogether, config.seeds - first);
    std::vector<std::vector<Curve>> found(static_cast<size_t>(count));
    tensor::each_on_one_thread(count, [&](int64_t i) {
      std::vector<Curve>& curves = found[static_cast<size_t>(i)];
      const SeedRun varied(config, first + i, sweeps.betas), fixed(config, first + i, one_beta);
      for (const Signal& signal : signals) {
        if (base::stop_requested() != 0) return;
        curves.push_back(varied.measure(signal, config.noise));
        curves.push_back(fixed.measure(signal, config.noise));
        for (const double level : sweeps.levels) curves.push_back(fixed.measure(signal, level));
      }
    });
    context.progress(base::str("seed ", first + count, " of ", config.seeds),
                     0.95 * static_cast<double>(first + count) * share);
    for (const std::vector<Curve>& curves : found) {
      for (size_t r = 0; r < signals.size(); ++r) {
        const size_t at = r * (num_levels + 2);
        add(sweeps.by_beta[r], curves[at], share);
        add(sweeps.at_beta[r], curves[at + 1], share);
        for (size_t l = 0; l < num_levels; ++l)
          add(sweeps.by_noise[r * num_levels + l], curves[at + 2 + l], share);
      }
    }
  }
  return sweeps;
}

Spike measure_spike(int64_t seeds, Context& context) {
  constexpr int64_t kColumns = 20, kFewest = 100;
  const double value = 0.2 * (std::sqrt(kFewest) - std::sqrt(kColumns));
  Spike spike;
  for (int64_t rows = kFewest; rows <= 1600; rows *= 2) {
    double sum = 0;
    for (int64_t seed = 0; seed < seeds; ++seed) {
      context.progress(base::str("weak signals, ", rows, " rows"), 0.96);
      const auto unit = [&](int64_t size, const char* stream) {
        const at::Tensor v = normal_matrix(size, 1, seed, stream);
        return v / v.norm();
      };
      const Signal signal{unit(rows, "spike left"), unit(kColumns, "spike right"), {value}};
      const at::Tensor noisy =
          signal.matrix() + normal_matrix(rows, kColumns, seed, base::str("spike ", rows));
      sum += polar_alignment(noisy, signal) / value;
    }
    spike.rows.push_back(static_cast<double>(rows));
    spike.alignment.push_back(sum / static_cast<double>(seeds));
  }
  return spike;
}

}  // namespace denoise
}  // namespace muonlab::theory
