#include "optim/panel_kernels.hpp"

#if defined(__x86_64__)
// g++ 12 takes the undefined upper halves that its own intrinsics make for ours (gcc bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#endif

#include "muonlab/base/error.hpp"

namespace muonlab::optim {

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")
namespace {

constexpr int64_t kRows = 8;    // of a tile; with 3 vectors of columns 24 sums stay in registers
constexpr int64_t kLanes = 16;  // of a vector

template <int kVectors>
struct Tile {
  __m512 row[kRows][kVectors];
};

inline __m512 multiply_add(__m512 sum, const PairWord* left, __m512i right) {
  return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32(static_cast<int>(left->bits)),
                          (__m512bh)right);
}
inline __m512 multiply_add(__m512 sum, const FloatWord* left, __m512i right) {
  return _mm512_fmadd_ps(_mm512_set1_ps(left->value), _mm512_castsi512_ps(right), sum);
}

// Sums of left rows [0, 8) times right rows [0, 16 kVectors).
template <class Word, int kVectors>
inline void sum_products(const Word* left, const Word* right, int64_t words, Tile<kVectors>& tile) {
  __m512 sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_setzero_ps();
  }
  for (int64_t p = 0; p < words; ++p, left += kPanel, right += kPanel) {
    __m512i b[kVectors];
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) b[v] = _mm512_loadu_si512(right + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) sum[r][v] = multiply_add(sum[r][v], left + r, b[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) tile.row[r][v] = sum[r][v];
  }
}

inline __m512i rounded_bits(__m512 x) {  // bf16 in the low half of each lane
  return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x));
}

// 16 columns of two neighbouring rows, the first one even, in by_columns form.
struct TwoRows {
  __m512 even, odd;
};
inline TwoRows load_rows(const PairWord* at) {
  const __m512i words = _mm512_loadu_si512(at);
  const __m512i high = _mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xffff0000u)));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(words, 16)), _mm512_castsi512_ps(high)};
}
inline void store_rows(PairWord* at, __m512 even, __m512 odd) {
  _mm512_storeu_si512(
      at, _mm512_or_si512(rounded_bits(even), _mm512_slli_epi32(rounded_bits(odd), 16)));
}
inline TwoRows load_rows(const FloatWord* at) {
  return {_mm512_loadu_ps(at), _mm512_loadu_ps(at + kPanel)};
}
inline void store_rows(FloatWord* at, __m512 even, __m512 odd) {
  _mm512_storeu_ps(at, even);
  _mm512_storeu_ps(at + kPanel, odd);
}

// Writes the transpose of an 8 x 8 square of words, a row every kPanel words.
inline void store_transposed(const __m256i in[8], void* to) {
  __m256i a[8], b[8];
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = _mm256_unpacklo_epi32(in[2 * i], in[2 * i + 1]);
    a[2 * i + 1] = _mm256_unpackhi_epi32(in[2 * i], in[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    b[4 * i] = _mm256_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
    b[4 * i + 1] = _mm256_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
    b[4 * i + 2] = _mm256_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
    b[4 * i + 3] = _mm256_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
  }
  auto* words = static_cast<uint32_t*>(to);
  for (int i = 0; i < 4; ++i) {
    const __m256i low = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
    const __m256i high = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words + i * kPanel), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words + (i + 4) * kPanel), high);
  }
}

// The 16 columns in vector v of a tile, as by_rows words.
template <int kVectors>
inline void store_columns(PairWord* to, const Tile<kVectors>& tile, int v) {
  __m256i in[kRows];
  for (int r = 0; r < kRows; ++r) in[r] = (__m256i)_mm512_cvtneps_pbh(tile.row[r][v]);
  store_transposed(in, to);
}
template <int kVectors>
inline void store_columns(FloatWord* to, const Tile<kVectors>& tile, int v) {
  __m256i in[kRows];
  for (int r = 0; r < kRows; ++r)
    in[r] = _mm512_castsi512_si256(_mm512_castps_si512(tile.row[r][v]));
  store_transposed(in, to);
  for (int r = 0; r < kRows; ++r)
    in[r] = _mm512_extracti64x4_epi64(_mm512_castps_si512(tile.row[r][v]), 1);
  store_transposed(in, to + 8 * kPanel);
}

template <class Word, int kVectors>
void multiply_with(const PanelProduct<Word>& product) {
  const __m512 alpha = _mm512_set1_ps(product.alpha), beta = _mm512_set1_ps(product.beta);
  for (int64_t i = 0; i < product.rows; i += kRows) {
    Tile<kVectors> tile;
    sum_products<Word, kVectors>(product.left + i, product.right, product.words, tile);
    for (int v = 0; v < kVectors; ++v) {
      for (int r = 0; r < kRows; r += 2) {
        __m512 even = _mm512_mul_ps(alpha, tile.row[r][v]),
               odd = _mm512_mul_ps(alpha, tile.row[r + 1][v]);
        const int64_t at = (i + r) / Word::kColumns * kPanel + v * kLanes;
        if (product.added) {
          const TwoRows added = load_rows(product.added + at);
          even = _mm512_fmadd_ps(beta, added.even, even);
          odd = _mm512_fmadd_ps(beta, added.odd, odd);
        }
        store_rows(product.by_columns + at, even, odd);
        tile.row[r][v] = even;
        tile.row[r + 1][v] = odd;
      }
      if (product.by_rows)
        store_columns(product.by_rows + v * kLanes / Word::kColumns * kPanel + i, tile, v);
    }
  }
}

template <class Word>
void multiply(const PanelProduct<Word>& product) {
  switch ((product.cols + kLanes - 1) / kLanes) {
    case 1: return multiply_with<Word, 1>(product);
    case 2: return multiply_with<Word, 2>(product);
    default: return multiply_with<Word, 3>(product);
  }
}

// Up to 16 numbers of a row; nothing is read or written beyond them.
inline __mmask16 first_lanes(int64_t n) {
  return n >= kLanes ? 0xffff : n <= 0 ? 0 : static_cast<__mmask16>((1u << n) - 1);
}
inline __m512 load_numbers(const uint16_t* from, int64_t n) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_lanes(n), from)), 16));
}
inline __m512 load_numbers(const float* from, int64_t n) {
  return _mm512_maskz_loadu_ps(first_lanes(n), from);
}
inline void store_numbers(uint16_t* to, __m512 x, int64_t n) {
  _mm256_mask_storeu_epi16(to, first_lanes(n), (__m256i)_mm512_cvtneps_pbh(x));
}
inline void store_numbers(float* to, __m512 x, int64_t n) {
  _mm512_mask_storeu_ps(to, first_lanes(n), x);
}

template <class Word>
void pack(const PanelSquare<Word>& square) {
  // products read whole vectors of them
  const int64_t rows = (square.rows + kLanes - 1) / kLanes * kLanes;
  for (int64_t i = 0; i < rows; i += kRows) {
    for (int64_t j = 0; j < square.cols; j += kLanes) {
      Tile<1> tile;
      for (int64_t r = 0; r < kRows; ++r) {
        const int64_t left = i + r < square.rows ? square.cols - j : 0;
        tile.row[r][0] =
            load_numbers(square.numbers + (left > 0 ? (i + r) * square.stride + j : 0), left);
      }
      for (int64_t r = 0; r < kRows; r += 2) {
        store_rows(square.by_columns + (i + r) / Word::kColumns * kPanel + j, tile.row[r][0],
                   tile.row[r + 1][0]);
      }
      store_columns(square.by_rows + j / Word::kColumns * kPanel + i, tile, 0);
    }
  }
}

template <class Word>
void unpack(const PanelSquare<Word>& square) {
  for (int64_t i = 0; i < square.rows; i += 2) {
    for (int64_t j = 0; j < square.cols; j += kLanes) {
      const TwoRows rows = load_rows(square.by_columns + i / Word::kColumns * kPanel + j);
      typename Word::Number* to = square.numbers + i * square.stride + j;
      store_numbers(to, rows.even, square.cols - j);
      if (i + 1 < square.rows) store_numbers(to + square.stride, rows.odd, square.cols - j);
    }
  }
}

}  // namespace

bool panel_kernels_built() { return true; }
void multiply_panels(const PanelProduct<PairWord>& product) { multiply(product); }
void multiply_panels(const PanelProduct<FloatWord>& product) { multiply(product); }
void pack_square(const PanelSquare<PairWord>& square) { pack(square); }
void pack_square(const PanelSquare<FloatWord>& square) { pack(square); }
void unpack_square(const PanelSquare<PairWord>& square) { unpack(square); }
void unpack_square(const PanelSquare<FloatWord>& square) { unpack(square); }
#pragma GCC pop_options

#else

namespace {
[[noreturn]] void absent() { throw base::Bug("panel kernels are not built for this processor"); }
}  // namespace

bool panel_kernels_built() { return false; }
void multiply_panels(const PanelProduct<PairWord>&) { absent(); }
void multiply_panels(const PanelProduct<FloatWord>&) { absent(); }
void pack_square(const PanelSquare<PairWord>&) { absent(); }
void pack_square(const PanelSquare<FloatWord>&) { absent(); }
void unpack_square(const PanelSquare<PairWord>&) { absent(); }
void unpack_square(const PanelSquare<FloatWord>&) { absent(); }

#endif

}  // namespace muonlab::optim
