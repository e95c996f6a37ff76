// Element-wise work of a Muon step on one matrix: momentum, look-ahead, norm, pack; decay, update.
#pragma once

#include <cstdint>

namespace muonlab::optim {

// A matrix inside a flat fp32 range: entry (i, j) is at offset + i * stride + j.
struct Block {
  int64_t offset = 0;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  bool tall() const { return rows > cols; }
  int64_t short_side() const { return tall() ? cols : rows; }
  int64_t long_side() const { return tall() ? rows : cols; }
};

// M <- keep M + mix G, and the direction U = ahead_g G + ahead_m M (with the new M).
struct MomentumForm {
  float keep, mix;
  float ahead_g, ahead_m;
};

// Updates m from g; returns the squared Frobenius norm of U.
double update_momentum(const Block& block, const MomentumForm& form, const float* g, float* m);

// The squared Frobenius norm of a block of g.
double squared_norm(const Block& block, const float* g);

// Writes U times factor to out: contiguous, short side first, so transposed for a tall block. T:
// float, double or at::BFloat16.
template <class T>
void pack_direction(const Block& block, const MomentumForm& form, float factor, const float* g,
                    const float* m, T* out);

// W <- keep W - rate O, with O laid out as pack_direction writes it.
template <class T>
void apply_direction(const Block& block, float keep, float rate, const T* o, float* w);

}  // namespace muonlab::optim
