#include "capacity_model.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/base/philox.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {

GaussianMemory::GaussianMemory(int64_t width, int64_t facts, double alpha, int64_t seed)
    : objects_(normal_matrix(width, facts, seed, "objects") / std::sqrt(width)),
      keys_(normal_matrix(width, facts, seed, "keys") / std::sqrt(width)),
      p_(as_tensor(power_law(facts, alpha))) {}

at::Tensor GaussianMemory::descent_at_zero(const at::Tensor& q) const {
  const at::Tensor mean_object = objects_.mean(1, /*keepdim=*/true);
  return ((objects_ - mean_object) * q).mm(keys_.t());
}

at::Tensor GaussianMemory::descent(const at::Tensor& weights, const at::Tensor& q) const {
  const at::Tensor scores = at::softmax(objects_.t().mm(weights.mm(keys_)), 0);
  return ((objects_ - objects_.mm(scores)) * q).mm(keys_.t());
}

at::Tensor GaussianMemory::key_moment() const { return (keys_ * p_).mm(keys_.t()); }

at::Tensor GaussianMemory::recovered(const at::Tensor& weights, int64_t count) const {
  // Facts in blocks, so that the logits of all objects fit into the cache.
  constexpr int64_t kBlock = 256;
  std::vector<at::Tensor> best;
  for (int64_t first = 0; first < count; first += kBlock) {
    const at::Tensor keys = keys_.narrow(1, first, std::min(kBlock, count - first));
    best.push_back(weights.mm(keys).t().mm(objects_).argmax(1));
  }
  return at::cat(best) == at::arange(count, at::kLong);
}

double GaussianMemory::loss(const at::Tensor& weights) const {
  const at::Tensor logits = objects_.t().mm(weights.mm(keys_));
  return (p_ * (at::logsumexp(logits, 0) - logits.diagonal())).sum().item<double>();
}

at::Tensor GaussianMemory::sampled(int64_t samples, int64_t seed,
                                   const std::function<void()>& tick) const {
  constexpr int64_t kBetweenTicks = 1 << 20;
  const at::Tensor sums = p_.cumsum(0);
  const double* ends = sums.const_data_ptr<double>();
  at::Tensor counts = at::zeros_like(p_);
  double* to = counts.mutable_data_ptr<double>();
  const base::Philox random(static_cast<uint64_t>(seed), base::Purpose::theory, "batch");
  for (int64_t i = 0; i < samples; ++i) {
    if (i % kBetweenTicks == 0) tick();
    const double u = random.uniform(static_cast<uint64_t>(i)) * ends[facts() - 1];
    const auto fact = std::lower_bound(ends, ends + facts() - 1, u) - ends;
    to[fact] += 1 / static_cast<double>(samples);
  }
  return counts;
}

}  // namespace muonlab::theory
