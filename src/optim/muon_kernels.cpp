#include "optim/muon_kernels.hpp"

#include <algorithm>

#include <c10/util/BFloat16.h>

#include "optim/vector_clones.hpp"

namespace muonlab::optim {
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kTile = 32;  // side of the squares in which a tall matrix is transposed

MUONLAB_VECTOR_CLONES
double momentum_row(const MomentumForm f, int64_t n, const float* __restrict g,
                    float* __restrict m) {
  // a fixed order of summation, in double: gradients may be smaller than 1e-19
  double lanes[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) {
      const float momentum = f.keep * m[j + k] + f.mix * g[j + k];
      m[j + k] = momentum;
      const double u = f.ahead_g * g[j + k] + f.ahead_m * momentum;
      lanes[k] += u * u;
    }
  }
  for (int64_t k = 0; j < n; ++j, ++k) {
    const float momentum = f.keep * m[j] + f.mix * g[j];
    m[j] = momentum;
    const double u = f.ahead_g * g[j] + f.ahead_m * momentum;
    lanes[k] += u * u;
  }
  double sum = 0.0;
  for (double lane : lanes) sum += lane;
  return sum;
}

MUONLAB_VECTOR_CLONES
double squares_row(int64_t n, const float* __restrict g) {
  double lanes[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) {
      const double u = g[j + k];
      lanes[k] += u * u;
    }
  }
  for (int64_t k = 0; j < n; ++j, ++k) {
    const double u = g[j];
    lanes[k] += u * u;
  }
  double sum = 0.0;
  for (double lane : lanes) sum += lane;
  return sum;
}

MUONLAB_VECTOR_CLONES
void direction_row(const MomentumForm f, float factor, int64_t n, const float* __restrict g,
                   const float* __restrict m, float* __restrict u) {
  for (int64_t j = 0; j < n; ++j) u[j] = factor * (f.ahead_g * g[j] + f.ahead_m * m[j]);
}

MUONLAB_VECTOR_CLONES
void store(int64_t n, const float* __restrict from, float* __restrict to) {
  for (int64_t j = 0; j < n; ++j) to[j] = from[j];
}

MUONLAB_VECTOR_CLONES
void store(int64_t n, const float* __restrict from, double* __restrict to) {
  for (int64_t j = 0; j < n; ++j) to[j] = from[j];
}

// Round to nearest even; the values are finite.
MUONLAB_VECTOR_CLONES
void store(int64_t n, const float* __restrict from, c10::BFloat16* __restrict to_bf16) {
  auto* to = reinterpret_cast<uint16_t*>(to_bf16);
  for (int64_t j = 0; j < n; ++j) {
    const auto bits = __builtin_bit_cast(uint32_t, from[j]);
    to[j] = static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
  }
}

MUONLAB_VECTOR_CLONES
void apply_row(float keep, float rate, int64_t n, const float* __restrict o, float* __restrict w) {
  for (int64_t j = 0; j < n; ++j) w[j] = keep * w[j] - rate * o[j];
}

MUONLAB_VECTOR_CLONES
void apply_row(float keep, float rate, int64_t n, const double* __restrict o, float* __restrict w) {
  for (int64_t j = 0; j < n; ++j) w[j] = keep * w[j] - rate * static_cast<float>(o[j]);
}

MUONLAB_VECTOR_CLONES
void apply_row(float keep, float rate, int64_t n, const c10::BFloat16* __restrict o_bf16,
               float* __restrict w) {
  const auto* o = reinterpret_cast<const uint16_t*>(o_bf16);
  for (int64_t j = 0; j < n; ++j) {
    w[j] = keep * w[j] - rate * __builtin_bit_cast(float, static_cast<uint32_t>(o[j]) << 16);
  }
}

// Calls square(i0, j0, height, width) for the squares of a rows x cols matrix.
template <class Square>
void for_squares(int64_t rows, int64_t cols, Square&& square) {
  for (int64_t i = 0; i < rows; i += kTile) {
    for (int64_t j = 0; j < cols; j += kTile) {
      square(i, j, std::min(kTile, rows - i), std::min(kTile, cols - j));
    }
  }
}

}  // namespace

double update_momentum(const Block& block, const MomentumForm& form, const float* g, float* m) {
  double sum = 0.0;
  for (int64_t i = 0; i < block.rows; ++i) {
    const int64_t at = block.offset + i * block.stride;
    sum += momentum_row(form, block.cols, g + at, m + at);
  }
  return sum;
}

double squared_norm(const Block& block, const float* g) {
  double sum = 0.0;
  for (int64_t i = 0; i < block.rows; ++i)
    sum += squares_row(block.cols, g + block.offset + i * block.stride);
  return sum;
}

template <class T>
void pack_direction(const Block& block, const MomentumForm& form, float factor, const float* g,
                    const float* m, T* out) {
  float u[kTile], transposed[kTile][kTile];
  for_squares(block.rows, block.cols, [&](int64_t i0, int64_t j0, int64_t height, int64_t width) {
    for (int64_t i = 0; i < height; ++i) {
      const int64_t at = block.offset + (i0 + i) * block.stride + j0;
      direction_row(form, factor, width, g + at, m + at, u);
      if (block.tall()) {
        for (int64_t j = 0; j < width; ++j) transposed[j][i] = u[j];
      } else {
        store(width, u, out + (i0 + i) * block.cols + j0);
      }
    }
    if (!block.tall()) return;
    for (int64_t j = 0; j < width; ++j)
      store(height, transposed[j], out + (j0 + j) * block.rows + i0);
  });
}

template <class T>
void apply_direction(const Block& block, float keep, float rate, const T* o, float* w) {
  T transposed[kTile][kTile];
  for_squares(block.rows, block.cols, [&](int64_t i0, int64_t j0, int64_t height, int64_t width) {
    for (int64_t j = 0; block.tall() && j < width; ++j) {
      for (int64_t i = 0; i < height; ++i) transposed[i][j] = o[(j0 + j) * block.rows + i0 + i];
    }
    for (int64_t i = 0; i < height; ++i) {
      const T* row = block.tall() ? transposed[i] : o + (i0 + i) * block.cols + j0;
      apply_row(keep, rate, width, row, w + block.offset + (i0 + i) * block.stride + j0);
    }
  });
}

template void pack_direction(const Block&, const MomentumForm&, float, const float*, const float*,
                             float*);
template void pack_direction(const Block&, const MomentumForm&, float, const float*, const float*,
                             double*);
template void pack_direction(const Block&, const MomentumForm&, float, const float*, const float*,
                             c10::BFloat16*);
template void apply_direction(const Block&, float, float, const float*, float*);
template void apply_direction(const Block&, float, float, const double*, float*);
template void apply_direction(const Block&, float, float, const c10::BFloat16*, float*);

}  // namespace muonlab::optim
