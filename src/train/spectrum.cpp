#include "muonlab/train/spectrum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"

namespace muonlab::train {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kTop = 10;

// -Σ p log p of shares p_i = weights_i / total.
double entropy_of(std::span<const double> weights, double total) {
  double sum = 0;
  for (double weight : weights) {
    const double share = weight / total;
    if (share > 0) sum -= share * std::log(share);
  }
  return sum;
}

double ratio(double above, double below) { return below > 0 ? above / below : kNaN; }

}  // namespace

Spectrum spectrum(std::span<const double> singular_values) {
  base::check(!singular_values.empty(), "spectrum: no singular values");
  const size_t n = singular_values.size();
  const double largest = singular_values.front();
  if (!(largest > 0)) return {kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN};
  std::vector<double> s(n), squares(n);
  double sum = 0, sum_of_squares = 0, top = 0;
  for (size_t i = 0; i < n; ++i) {
    // so that squares neither overflow nor vanish
    const double share = singular_values[i] / largest;
    s[i] = share > static_cast<double>(n) * 0x1p-52 ? share : 0.0;
    squares[i] = s[i] * s[i];
    sum += s[i];
    sum_of_squares += squares[i];
    if (i < kTop) top += squares[i];
  }
  const double entropy = entropy_of(squares, sum_of_squares);
  Spectrum result;
  result.entropy = n > 1 ? entropy / std::log(static_cast<double>(n)) : 1.0;
  result.effective_rank = std::exp(entropy);
  result.effective_rank_plain = std::exp(entropy_of(s, sum));
  result.top10_energy = top / sum_of_squares;
  result.q75_q25 = ratio(base::quantile(squares, 0.75), base::quantile(squares, 0.25));
  result.stable_rank = sum_of_squares;
  result.nuclear_rank = sum * sum / sum_of_squares;
  result.condition = ratio(1.0, s.back());
  return result;
}

std::vector<double> singular_values(const at::Tensor& matrix) {
  // Tall, because LAPACK then starts with a QR decomposition: half the time of the wide one.
  const at::Tensor tall = matrix.size(0) < matrix.size(1) ? matrix.t() : matrix;
  const at::Tensor values = at::linalg_svdvals(tall.detach().to(at::kDouble)).contiguous();
  const double* begin = values.const_data_ptr<double>();
  return {begin, begin + values.numel()};
}

double root_mean_square(const at::Tensor& values) {
  return std::sqrt(values.detach().to(at::kDouble).square().mean().item<double>());
}

}  // namespace muonlab::train
