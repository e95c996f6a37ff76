// Small matrix products in registers, for AVX-512. Include only between the target pragmas of a
// kernel source.
//
// A product runs over "units" of 32 bits: one float, or two neighbouring bf16 numbers along the
// summed dimension. With that, fp32 and bf16 share one loop: C[m, n] (+)= sum_k A[m, k] B[k, n],
// where A is read one unit at a time and spread to all lanes, and B 16 units (16 columns) at a
// time. The sum over k runs in order in each lane.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "ops/simd.hpp"

namespace muonlab::ops {

// A unit read from memory that was written as floats or bf16 numbers.
using AnyUnit [[gnu::may_alias]] = uint32_t;
MUONLAB_INLINE __m512i spread(const uint32_t* unit) {
  return _mm512_set1_epi32(static_cast<int>(*reinterpret_cast<const AnyUnit*>(unit)));
}

// One number type as the tiles see it. kDepth: numbers a unit.
struct Fp32Unit {
  using Number = float;
  static constexpr int64_t kDepth = 1;
  static MUONLAB_INLINE __m512 multiply_add(__m512 c, const uint32_t* a, __m512i b) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(spread(a)), _mm512_castsi512_ps(b), c);
  }
};
struct Bf16Unit {
  using Number = Bf16;
  static constexpr int64_t kDepth = 2;
  static MUONLAB_INLINE __m512 multiply_add(__m512 c, const uint32_t* a, __m512i b) {
    return _mm512_dpbf16_ps(c, reinterpret_cast<__m512bh>(spread(a)),
                            reinterpret_cast<__m512bh>(b));
  }
};

// Where a tile's 16 neighbouring results go. Lanes outside the mask are neither read nor written.
struct FloatOut {
  float* at;
  int64_t stride;
  MUONLAB_INLINE __m512 load(int64_t row, int64_t column, __mmask16 lanes) const {
    return _mm512_maskz_loadu_ps(lanes, at + row * stride + column);
  }
  MUONLAB_INLINE void store(int64_t row, int64_t column, __mmask16 lanes, __m512 x) const {
    _mm512_mask_storeu_ps(at + row * stride + column, lanes, x);
  }
  FloatOut shifted(int64_t rows, int64_t columns) const {
    return {at + rows * stride + columns, stride};
  }
};
struct Bf16Out {
  Bf16* at;
  int64_t stride;
  MUONLAB_INLINE __m512 load(int64_t, int64_t, __mmask16) const {
    return _mm512_setzero_ps();
  }  // only ever written
  MUONLAB_INLINE void store(int64_t row, int64_t column, __mmask16 lanes, __m512 x) const {
    _mm256_mask_storeu_epi16(at + row * stride + column, lanes,
                             reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)));
  }
  Bf16Out shifted(int64_t rows, int64_t columns) const {
    return {at + rows * stride + columns, stride};
  }
};

template <class Unit, int kRows, int kVectors, class Out>
MUONLAB_INLINE void register_tile(const uint32_t* a, int64_t lda, const uint32_t* b, int64_t ldb,
                                  Out out, int64_t depth, bool add, __mmask16 last) {
  __m512 sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = add ? out.load(i, 16 * j, j + 1 < kVectors ? 0xffff : last) : _mm512_setzero_ps();
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    __m512i row[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) row[j] = _mm512_loadu_si512(b + k * ldb + 16 * j);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j)
        sum[i][j] = Unit::multiply_add(sum[i][j], a + i * lda + k, row[j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j)
      out.store(i, 16 * j, j + 1 < kVectors ? 0xffff : last, sum[i][j]);
  }
}

template <class Unit, int kVectors, class Out>
void tile_columns(int64_t m, const uint32_t* a, int64_t lda, const uint32_t* b, int64_t ldb,
                  Out out, int64_t depth, bool add, __mmask16 last) {
  int64_t i = 0;
  for (; i + 6 <= m; i += 6) {
    register_tile<Unit, 6, kVectors>(a + i * lda, lda, b, ldb, out.shifted(i, 0), depth, add, last);
  }
  a += i * lda;
  out = out.shifted(i, 0);
  switch (m - i) {
    case 5: return register_tile<Unit, 5, kVectors>(a, lda, b, ldb, out, depth, add, last);
    case 4: return register_tile<Unit, 4, kVectors>(a, lda, b, ldb, out, depth, add, last);
    case 3: return register_tile<Unit, 3, kVectors>(a, lda, b, ldb, out, depth, add, last);
    case 2: return register_tile<Unit, 2, kVectors>(a, lda, b, ldb, out, depth, add, last);
    case 1: return register_tile<Unit, 1, kVectors>(a, lda, b, ldb, out, depth, add, last);
    default: return;
  }
}

// C[m, n] (+)= A[m, depth] B[depth, n] for n <= 64; strides and depth in units; B's rows are
// readable up to the next multiple of 16 columns.
template <class Unit, class Out>
MUONLAB_INLINE void multiply_panel(int64_t m, int64_t n, int64_t depth, const uint32_t* a,
                                   int64_t lda, const uint32_t* b, int64_t ldb, Out out, bool add) {
  const int64_t tail = n % 16;
  const __mmask16 last = tail == 0 ? 0xffff : static_cast<__mmask16>((1u << tail) - 1u);
  switch ((n + 15) / 16) {
    case 4: return tile_columns<Unit, 4>(m, a, lda, b, ldb, out, depth, add, last);
    case 3: return tile_columns<Unit, 3>(m, a, lda, b, ldb, out, depth, add, last);
    case 2: return tile_columns<Unit, 2>(m, a, lda, b, ldb, out, depth, add, last);
    case 1: return tile_columns<Unit, 1>(m, a, lda, b, ldb, out, depth, add, last);
    default: return;
  }
}

// The same for any n, in fp32.
template <class Unit>
void multiply(int64_t m, int64_t n, int64_t depth, const void* a_units, int64_t lda,
              const uint32_t* b, int64_t ldb, float* c, int64_t ldc, bool add) {
  for (int64_t j = 0; j < n; j += 64) {
    multiply_panel<Unit>(m, n - j < 64 ? n - j : 64, depth, static_cast<const uint32_t*>(a_units),
                         lda, b + j, ldb, FloatOut{c + j, ldc}, add);
  }
}

// e^x as exp_fast computes it, but with exact zeros below -87.3 and infinity above 88.7.
MUONLAB_INLINE __m512 exp_lanes(__m512 x) {
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504088896341f)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.9875691500e-4f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
  p = _mm512_fmadd_ps(_mm512_mul_ps(p, r), r, _mm512_add_ps(r, _mm512_set1_ps(1.0f)));
  const __mmask16 is_tiny = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-87.3f), _CMP_LT_OQ);
  return _mm512_mask_blend_ps(is_tiny, _mm512_scalef_ps(p, n), _mm512_setzero_ps());
}

// 16 floats into numbers.
MUONLAB_INLINE void store_lanes(float* p, __m512 x) { _mm512_storeu_ps(p, x); }
MUONLAB_INLINE void store_lanes(Bf16* p, __m512 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)));
}

// Transposes 16 rows of 16 units held in registers.
MUONLAB_INLINE void transpose_registers(__m512i (&r)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  // Now lane group g of r[4 i + c] is column 4 g + c of rows 4 i … 4 i + 3.
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i a =
        _mm512_shuffle_i32x4(r[c], r[4 + c], 0x88);  // groups 0, 2 of rows 0-3, then of 4-7
    const __m512i b = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x88);  // of rows 8-11, 12-15
    const __m512i d = _mm512_shuffle_i32x4(r[c], r[4 + c], 0xdd);       // groups 1, 3
    const __m512i e = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xdd);
    t[c] = _mm512_shuffle_i32x4(a, b, 0x88);
    t[8 + c] = _mm512_shuffle_i32x4(a, b, 0xdd);
    t[4 + c] = _mm512_shuffle_i32x4(d, e, 0x88);
    t[12 + c] = _mm512_shuffle_i32x4(d, e, 0xdd);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) r[i] = t[i];
}

// out[c, r] = in[r, c] for rows x columns units (in: stride ld_in; out: [columns up to a multiple
// of 16, ld_out], with zeros in rows … the next multiple of 16 and in the columns added). Numbers
// beyond `columns` of a row are not read.
inline void transpose_units(const uint32_t* in, int64_t ld_in, int64_t rows, int64_t columns,
                            uint32_t* out, int64_t ld_out) {
  for (int64_t r = 0; r < rows; r += 16) {
    const int64_t num_rows = rows - r < 16 ? rows - r : 16;
    for (int64_t c = 0; c < columns; c += 16) {
      const int64_t num_columns = columns - c < 16 ? columns - c : 16;
      const __mmask16 mask = static_cast<__mmask16>((1u << num_columns) - 1u);
      __m512i block[16];
      for (int64_t i = 0; i < 16; ++i) {
        block[i] = i < num_rows ? _mm512_maskz_loadu_epi32(mask, in + (r + i) * ld_in + c)
                                : _mm512_setzero_si512();
      }
      transpose_registers(block);
      for (int64_t i = 0; i < 16; ++i) _mm512_storeu_si512(out + (c + i) * ld_out + r, block[i]);
    }
  }
}

// Rows of numbers -> units along the row index: out[r / depth, c] holds rows r … r + depth - 1 of
// column c. Rows beyond `rows` up to `padded_rows` and columns beyond `columns` up to ld_out are
// zero.
inline void pack_rows(const float* in, int64_t ld_in, int64_t rows, int64_t columns,
                      int64_t padded_rows, uint32_t* out, int64_t ld_out) {
  for (int64_t r = 0; r < padded_rows; ++r) {
    float* to = reinterpret_cast<float*>(out + r * ld_out);
    const float* from = in + r * ld_in;
    const int64_t count = r < rows ? columns : 0;
#pragma omp simd
    for (int64_t c = 0; c < count; ++c) to[c] = from[c];
    for (int64_t c = count; c < ld_out; ++c) to[c] = 0;
  }
}
inline void pack_rows(const Bf16* in, int64_t ld_in, int64_t rows, int64_t columns,
                      int64_t padded_rows, uint32_t* out, int64_t ld_out) {
  for (int64_t r = 0; r < padded_rows; r += 2) {
    uint32_t* to = out + r / 2 * ld_out;
    const Bf16 *low = in + r * ld_in, *high = low + ld_in;
    const int64_t count = r < rows ? columns : 0;
    if (r + 1 < rows) {
#pragma omp simd
      for (int64_t c = 0; c < count; ++c)
        to[c] = low[c].bits | static_cast<uint32_t>(high[c].bits) << 16;
    } else {
#pragma omp simd
      for (int64_t c = 0; c < count; ++c) to[c] = low[c].bits;
    }
    for (int64_t c = count; c < ld_out; ++c) to[c] = 0;
  }
}

// Two rows of 16 floats as 16 units, or one row as it is.
MUONLAB_INLINE __m512i to_units(Fp32Unit, const float* row, int64_t /*ld*/) {
  return _mm512_loadu_si512(row);
}
MUONLAB_INLINE __m512i to_units(Bf16Unit, const float* row, int64_t ld) {
  const auto low = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(row)));
  const auto high = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(row + ld)));
  return _mm512_or_si512(_mm512_cvtepu16_epi32(low),
                         _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
}

}  // namespace muonlab::ops
