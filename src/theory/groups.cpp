#include "groups.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/extreme.hpp"

namespace muonlab::theory {
namespace {

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

template <class Change>
void each_entry(GroupMatrix& x, const GroupMatrix& y, Change&& change) {
  for (size_t i = 0; i < x.own.size(); ++i) {
    change(x.own[i], y.own[i]);
    change(x.same[i], y.same[i]);
  }
  for (size_t i = 0; i < x.cross.size(); ++i) change(x.cross[i], y.cross[i]);
}

}  // namespace

GroupMatrix GroupMatrix::stepped(double step, const GroupMatrix& direction) const {
  GroupMatrix out = *this;
  each_entry(out, direction, [&](double& x, double d) { x -= step * d; });
  return out;
}

GroupMatrix GroupMatrix::signs() const {
  GroupMatrix out = *this;
  each_entry(out, *this, [](double& x, double from) { x = sign(from); });
  return out;
}

GroupedMemory::GroupedMemory(std::vector<double> p, int64_t size, double noise)
    : p_(std::move(p)), size_(static_cast<double>(size)), noise_(noise) {}

GroupMatrix GroupedMemory::zero() const {
  const size_t m = num_groups();
  return {std::vector<double>(m), std::vector<double>(m), std::vector<double>(m * m)};
}

GroupedMemory::Shares GroupedMemory::log_shares(const GroupMatrix& logits, size_t key) const {
  const size_t m = num_groups();
  // Relative to the correct logit, so that a probability close to 1 keeps its digits.
  const double own = logits.own[key], same = logits.same[key] - own;
  double rest = (size_ - 1) * std::exp(same);
  Shares out{0, 0, std::vector<double>(m)};
  for (size_t i = 0; i < m; ++i) {
    if (i == key) continue;
    out.cross[i] = logits.cross[i * m + key] - own;
    rest += size_ * std::exp(out.cross[i]);
  }
  out.own = -std::log1p(rest);
  out.same = same + out.own;
  for (double& value : out.cross) value += out.own;
  return out;
}

GroupMatrix GroupedMemory::gradient(const GroupMatrix& logits) const {
  const size_t m = num_groups();
  const double wrong = noise_ / num_facts();  // the target of every other object
  GroupMatrix out = zero();
  for (size_t j = 0; j < m; ++j) {
    const Shares shares = log_shares(logits, j);
    const double p = p_[j] / size_;
    out.same[j] = p * (std::exp(shares.same) - wrong);
    double sum = (size_ - 1) * out.same[j];
    for (size_t i = 0; i < m; ++i) {
      if (i == j) continue;
      out.cross[i * m + j] = p * (std::exp(shares.cross[i]) - wrong);
      sum += size_ * out.cross[i * m + j];
    }
    out.own[j] = -sum;  // a key's errors sum to zero
  }
  return out;
}

GroupMatrix GroupedMemory::polar(const GroupMatrix& x) const {
  const auto m = static_cast<int64_t>(num_groups());
  at::Tensor sums = at::empty({m, m}, at::kDouble);
  double* entry = sums.data_ptr<double>();
  double largest = 0;
  for (int64_t j = 0; j < m; ++j) {
    const auto key = static_cast<size_t>(j);
    const double within = x.own[key] - x.same[key];
    largest = std::max(largest, std::abs(within));
    for (int64_t i = 0; i < m; ++i) {
      entry[i * m + j] =
          i == j ? within + size_ * x.same[key] : size_ * x.cross[static_cast<size_t>(i * m + j)];
    }
  }
  // The singular values of a group's differences are |within|; those of the sums are the rest.
  const auto [u, s, vh] = at::linalg_svd(sums, false);
  largest = std::max(largest, s[0].item<double>());
  const double least = kZeroSingular * largest;
  const at::Tensor between = at::mm(u * (s > least).to(at::kDouble), vh).contiguous();
  const double* q = between.data_ptr<double>();
  GroupMatrix out = zero();
  for (int64_t j = 0; j < m; ++j) {
    const auto key = static_cast<size_t>(j);
    const double within = x.own[key] - x.same[key];
    const double unit = size_ > 1 && std::abs(within) > least ? sign(within) : 0;
    if (size_ > 1) out.same[key] = (q[j * m + j] - unit) / size_;
    out.own[key] = size_ > 1 ? unit + out.same[key] : q[j * m + j];
    for (int64_t i = 0; i < m; ++i) {
      if (i != j) out.cross[static_cast<size_t>(i * m + j)] = q[i * m + j] / size_;
    }
  }
  return out;
}

double GroupedMemory::excess_of_group(const GroupMatrix& logits, size_t group) const {
  const Shares shares = log_shares(logits, group);
  const double wrong = noise_ / num_facts(), right = 1 - noise_ + wrong;
  double loss = -right * shares.own;
  if (noise_ == 0) return loss;
  double others = (size_ - 1) * shares.same;
  for (size_t i = 0; i < num_groups(); ++i) {
    if (i != group) others += size_ * shares.cross[i];
  }
  loss -= wrong * others;
  const double least = -right * std::log(right) - (1 - right) * std::log(wrong);
  return loss - least;
}

double GroupedMemory::excess(const GroupMatrix& logits) const {
  double sum = 0;
  for (size_t j = 0; j < num_groups(); ++j) sum += p_[j] * excess_of_group(logits, j);
  return sum;
}

double GroupedMemory::deviation_from_identity(const GroupMatrix& x) const {
  Largest found;
  for (double own : x.own) found.add(std::abs(own - 1));
  if (size_ > 1) {
    for (double same : x.same) found.add(std::abs(same));
  }
  for (double cross : x.cross) found.add(std::abs(cross));
  return found.value();
}

at::Tensor GroupedMemory::whole(const GroupMatrix& x) const {
  const auto size = static_cast<int64_t>(size_), m = static_cast<int64_t>(num_groups());
  at::Tensor out = at::empty({m * size, m * size}, at::kDouble);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < m; ++j) {
      const auto key = static_cast<size_t>(j);
      at::Tensor block = out.slice(0, i * size, (i + 1) * size).slice(1, j * size, (j + 1) * size);
      block.fill_(i == j ? x.same[key] : x.cross[static_cast<size_t>(i * m + j)]);
      if (i == j) block.diagonal().fill_(x.own[key]);
    }
  }
  return out;
}

}  // namespace muonlab::theory
