#include "two_classes.hpp"

#include <algorithm>
#include <cmath>

#include "muonlab/theory/directions.hpp"

namespace muonlab::theory {
namespace {

using PerClass = std::array<double, 2>;
using Square = std::array<PerClass, 2>;  // [row][column]

template <class Change>
TwoClassMatrix changed(TwoClassMatrix x, Change&& change) {
  for (size_t c = 0; c < 2; ++c) {
    x.own[c] = change(x.own[c]);
    x.same[c] = change(x.same[c]);
    x.other[c] = change(x.other[c]);
  }
  return x;
}

// The polar factor of m, singular values up to `least` dropped, by one-sided Jacobi: one rotation
// from the right makes the columns orthogonal.
Square polar_2x2(const Square& m, double least) {
  const double xx = m[0][0] * m[0][0] + m[1][0] * m[1][0],
               yy = m[0][1] * m[0][1] + m[1][1] * m[1][1],
               xy = m[0][0] * m[0][1] + m[1][0] * m[1][1];
  const double angle = 0.5 * std::atan2(2 * xy, xx - yy), c = std::cos(angle), s = std::sin(angle);
  const PerClass right[2] = {{c, s}, {-s, c}};
  Square out{};
  for (const PerClass& v : right) {
    const PerClass u{m[0][0] * v[0] + m[0][1] * v[1], m[1][0] * v[0] + m[1][1] * v[1]};
    const double sigma = std::hypot(u[0], u[1]);
    if (sigma <= least) continue;
    for (size_t i = 0; i < 2; ++i) {
      for (size_t j = 0; j < 2; ++j) out[i][j] += u[i] / sigma * v[j];
    }
  }
  return out;
}

}  // namespace

TwoClasses::TwoClasses(double facts, double head, double mass)
    : size_{head, facts - head}, frequency_{mass / head, (1 - mass) / (facts - head)} {}

TwoClasses::LogShares TwoClasses::log_shares(const TwoClassMatrix& logits, size_t key) const {
  const double own = logits.own[key], same = logits.same[key], other = logits.other[key];
  const double top = std::max({own, same, other});
  const double sum = std::exp(own - top) + (size_[key] - 1) * std::exp(same - top) +
                     size_[1 - key] * std::exp(other - top);
  const double total = top + std::log(sum);
  return {own - total, same - total, other - total};
}

TwoClassMatrix TwoClasses::gradient(const TwoClassMatrix& logits) const {
  TwoClassMatrix out;
  for (size_t c = 0; c < 2; ++c) {
    const LogShares shares = log_shares(logits, c);
    out.same[c] = frequency_[c] * std::exp(shares.same);
    out.other[c] = frequency_[c] * std::exp(shares.other);
    // A column sums to zero: exact also where the correct probability rounds to 1.
    out.own[c] = -(size_[c] - 1) * out.same[c] - size_[1 - c] * out.other[c];
  }
  return out;
}

TwoClassMatrix TwoClasses::polar(const TwoClassMatrix& x) const {
  // Within a class, orthogonal to its sum: a multiple of the identity. The two sums: 2 x 2.
  PerClass within;
  Square sums;
  for (size_t c = 0; c < 2; ++c) {
    within[c] = x.own[c] - x.same[c];
    sums[c][c] = within[c] + size_[c] * x.same[c];
    sums[1 - c][c] = x.other[c] * std::sqrt(size_[0] * size_[1]);
  }
  const double largest =
      std::max({std::abs(within[0]), std::abs(within[1]), std::hypot(sums[0][0], sums[1][0]),
                std::hypot(sums[0][1], sums[1][1])});
  const double least = kZeroSingular * largest;
  const Square between = polar_2x2(sums, least);
  TwoClassMatrix out;
  for (size_t c = 0; c < 2; ++c) {
    const double unit = std::abs(within[c]) > least ? std::copysign(1.0, within[c]) : 0.0;
    out.same[c] = (between[c][c] - unit) / size_[c];
    out.own[c] = unit + out.same[c];
    out.other[c] = between[1 - c][c] / std::sqrt(size_[0] * size_[1]);
  }
  return out;
}

std::array<double, 2> TwoClasses::correct_probability(const TwoClassMatrix& logits) const {
  return {std::exp(log_shares(logits, 0).own), std::exp(log_shares(logits, 1).own)};
}

double TwoClasses::loss(const TwoClassMatrix& logits) const {
  double sum = 0;
  for (size_t c = 0; c < 2; ++c) sum -= size_[c] * frequency_[c] * log_shares(logits, c).own;
  return sum;
}

double TwoClasses::imbalance(const TwoClassMatrix& logits) const {
  const PerClass correct = correct_probability(logits);
  return std::abs(correct[0] - correct[1]);
}

TwoClassMatrix sign_of(const TwoClassMatrix& x) {
  return changed(x, [](double v) { return v > 0 ? 1.0 : v < 0 ? -1.0 : 0.0; });
}

TwoClassMatrix scaled(const TwoClassMatrix& x, double factor) {
  return changed(x, [&](double v) { return factor * v; });
}

TwoClassMatrix stepped(const TwoClassMatrix& x, double step, const TwoClassMatrix& direction) {
  TwoClassMatrix out = x;
  for (size_t c = 0; c < 2; ++c) {
    out.own[c] -= step * direction.own[c];
    out.same[c] -= step * direction.same[c];
    out.other[c] -= step * direction.other[c];
  }
  return out;
}

}  // namespace muonlab::theory
