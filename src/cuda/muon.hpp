// Element-wise work of a Muon step on the matrices of one shape: momentum and norm, the direction
// that the iteration starts from, and decay and update. A matrix is cut into parts of whole packs;
// the parts, and so the order of the norm's sum, depend on the shape alone.
#pragma once

#include <cmath>

#include "cuda/status.hpp"
#include "cuda/team.hpp"

namespace muonlab::cuda {

constexpr int64_t kMatrixPart = 1 << 14;  // elements

constexpr int64_t parts_of(int64_t rows, int64_t cols) {
  return (rows * cols + kMatrixPart - 1) / kMatrixPart;
}

// Entry (i, j) of matrix m is at offsets[m] + i * stride + j of the optimizer's range.
struct Matrices {
  const int64_t* offsets;  // [count]
  int64_t count, rows, cols, stride;
  int64_t num_parts;  // parts_of(rows, cols)
};

// M <- keep M + mix G, and the direction U = ahead_g G + ahead_m M.
struct Momentum {
  float keep, mix, ahead_g, ahead_m;
};

// f(matrix, part, element of the matrix counted in rows of cols, element of the range) for the
// packs of a lane.
template <int kSize, class Team, class F>
MUONLAB_KERNEL void each_pack(const Matrices& m, Team& team, int lane, int64_t task, F f) {
  const int64_t matrix = task / m.num_parts, part = task % m.num_parts;
  const int64_t size = m.rows * m.cols,
                end = (part + 1) * kMatrixPart < size ? (part + 1) * kMatrixPart : size;
  const int64_t step = static_cast<int64_t>(team.lanes()) * kSize;
  for (int64_t e = part * kMatrixPart + static_cast<int64_t>(lane) * kSize; e < end; e += step)
    f(matrix, e, m.offsets[matrix] + e / m.cols * m.stride + e % m.cols);
}

// partial[matrix, part]: the part's share of the squared Frobenius norm of U.
struct MuonMomentum {
  static constexpr bool kPacked = true;
  Matrices m;
  Momentum form;
  const float* grads;
  float* momentum;
  double* partial;
  const Status* status;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    if (!may_update(status)) return;
    for (int64_t task = block; task < m.count * m.num_parts; task += num_blocks) {
      auto squares = team.template make_register<double>();
      team.each([&](int lane) {
        double total = 0.0;
        each_pack<kSize>(m, team, lane, task, [&](int64_t, int64_t, int64_t at) {
          const Pack<float, kSize> g = load<kSize>(grads + at);
          Pack<float, kSize> b = load<kSize>(momentum + at);
          for (int k = 0; k < kSize; ++k) {
            b.at[k] = form.keep * b.at[k] + form.mix * g.at[k];
            const double u = form.ahead_g * g.at[k] + form.ahead_m * b.at[k];
            total += u * u;
          }
          store(momentum + at, b);
        });
        squares[lane] = total;
      });
      const double sum = team.sum(squares);
      team.each([&](int lane) {
        if (lane == 0) partial[task] = sum;
      });
    }
  }
};

// out [count, rows, cols] = U / (norm_factor |U|); 0 for a matrix that counts as zero.
template <class Number>
struct MuonDirection {
  static constexpr bool kPacked = true;
  Matrices m;
  Momentum form;
  double norm_factor;
  const float* grads;
  const float* momentum;
  const double* partial;
  Number* out;
  const Status* status;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    if (!may_update(status)) return;
    for (int64_t task = block; task < m.count * m.num_parts; task += num_blocks) {
      const int64_t first = task / m.num_parts * m.num_parts;
      auto shares = team.template make_register<double>();
      team.each([&](int lane) {
        double total = 0.0;
        for (int64_t i = lane; i < m.num_parts; i += team.lanes()) total += partial[first + i];
        shares[lane] = total;
      });
      const double norm = sqrt(team.sum(shares));
      const float factor = norm > 1e-30 ? static_cast<float>(1.0 / (norm * norm_factor)) : 0.0f;
      team.each([&](int lane) {
        each_pack<kSize>(m, team, lane, task, [&](int64_t matrix, int64_t e, int64_t at) {
          const Pack<float, kSize> g = load<kSize>(grads + at), b = load<kSize>(momentum + at);
          Pack<Number, kSize> u;
          for (int k = 0; k < kSize; ++k)
            narrow((form.ahead_g * g.at[k] + form.ahead_m * b.at[k]) * factor, u.at[k]);
          store(out + matrix * m.rows * m.cols + e, u);
        });
      });
    }
  }
};

// The numbers of a step, in the device's memory.
struct MuonFactors {
  float keep;  // 1 - lr decay
  float rate;  // lr times the scale of the shape
};

// W <- keep W - rate O, with O [count, rows, cols].
template <class Number>
struct MuonApply {
  static constexpr bool kPacked = true;
  Matrices m;
  const MuonFactors* factors;
  const Number* polar;
  float* values;
  const Status* status;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    if (!may_update(status)) return;
    const MuonFactors now = *factors;
    for (int64_t task = block; task < m.count * m.num_parts; task += num_blocks) {
      team.each([&](int lane) {
        each_pack<kSize>(m, team, lane, task, [&](int64_t matrix, int64_t e, int64_t at) {
          const Pack<Number, kSize> o = load<kSize>(polar + matrix * m.rows * m.cols + e);
          Pack<float, kSize> w = load<kSize>(values + at);
          for (int k = 0; k < kSize; ++k) w.at[k] = now.keep * w.at[k] - now.rate * widen(o.at[k]);
          store(values + at, w);
        });
      });
    }
  }
};

}  // namespace muonlab::cuda
