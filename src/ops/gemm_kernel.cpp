#include "ops/gemm_kernel.hpp"

#include <algorithm>

namespace muonlab::ops {

namespace {

constexpr int64_t kTileRows = 6;
constexpr int64_t kDepthBlock = 1024;  // units summed in registers at a time
constexpr int64_t kMaxRowBlock = 384;

}  // namespace

// About 256 KB of A at a time, so that it stays in the second-level cache while the panels pass.
int64_t Gemm::num_row_blocks() const {
  const int64_t fitting = 65536 / std::max<int64_t>(std::min<int64_t>(k_units, kDepthBlock), 1);
  const int64_t at_most = std::clamp<int64_t>(fitting, 48, kMaxRowBlock) / kTileRows * kTileRows;
  return (m + at_most - 1) / at_most;
}

int64_t Gemm::first_row(int64_t block) const {
  const int64_t tiles = (m + kTileRows - 1) / kTileRows;
  return std::min(m, block * tiles / num_row_blocks() * kTileRows);
}

}  // namespace muonlab::ops

#if defined(__x86_64__)
#pragma GCC diagnostic ignored \
    "-Wmaybe-uninitialized"  // false alarms in g++ 12's own intrinsics (GCC bug 105593)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma,avx2,bmi2")
#include "ops/tile_avx512.hpp"

namespace muonlab::ops {
namespace {

template <class Unit>
MUONLAB_INLINE void task(const Gemm& gemm, int64_t row, int64_t num_rows, int64_t column,
                         int64_t num_columns, FloatOut out, bool add) {
  const auto* a = static_cast<const uint32_t*>(gemm.a) + row * gemm.a_stride;
  const uint32_t* b = gemm.panels + column / kPanelColumns * panel_stride(gemm.k_units);
  for (int64_t k = 0; k < gemm.k_units; k += kDepthBlock) {
    multiply_panel<Unit>(num_rows, num_columns, std::min(kDepthBlock, gemm.k_units - k), a + k,
                         gemm.a_stride, b + k * kPanelColumns, kPanelColumns,
                         out.shifted(row, column), add || k > 0);
  }
}

template <class Unit>
MUONLAB_INLINE void task(const Gemm& gemm, int64_t row, int64_t num_rows, int64_t column,
                         int64_t num_columns, Bf16Out out, bool /*add*/) {
  const auto* a = static_cast<const uint32_t*>(gemm.a) + row * gemm.a_stride;
  const uint32_t* b = gemm.panels + column / kPanelColumns * panel_stride(gemm.k_units);
  out = out.shifted(row, column);
  if (gemm.k_units <= kDepthBlock) {
    return multiply_panel<Unit>(num_rows, num_columns, gemm.k_units, a, gemm.a_stride, b,
                                kPanelColumns, out, false);
  }
  alignas(64) float sums[kMaxRowBlock * kPanelColumns];  // a longer sum is rounded once, at its end
  for (int64_t k = 0; k < gemm.k_units; k += kDepthBlock) {
    multiply_panel<Unit>(num_rows, num_columns, std::min(kDepthBlock, gemm.k_units - k), a + k,
                         gemm.a_stride, b + k * kPanelColumns, kPanelColumns,
                         FloatOut{sums, kPanelColumns}, k > 0);
  }
  for (int64_t i = 0; i < num_rows; ++i) {
    for (int64_t j = 0; j < num_columns; j += 16) {
      const int64_t left = num_columns - j;
      const __mmask16 lanes = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1u);
      out.store(i, j, lanes, _mm512_load_ps(sums + i * kPanelColumns + j));
    }
  }
}

template <class Unit, class Out>
MUONLAB_INLINE void tasks(const Gemm& gemm, Out out, bool add, int64_t begin, int64_t end) {
  const int64_t panels = num_panels(gemm.n);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t row = gemm.first_row(i / panels), column = i % panels * kPanelColumns;
    const int64_t num_rows = gemm.first_row(i / panels + 1) - row;
    task<Unit>(gemm, row, num_rows, column, std::min(kPanelColumns, gemm.n - column), out, add);
  }
}

template <class Number>
MUONLAB_INLINE void transposed_panels(const Number* w, int64_t stride, int64_t n, int64_t k,
                                      uint32_t* panels, int64_t begin, int64_t end) {
  const int64_t depth = static_cast<int64_t>(sizeof(uint32_t) / sizeof(Number));
  for (int64_t p = begin; p < end; ++p) {
    const int64_t row = p * kPanelColumns;
    transpose_units(reinterpret_cast<const uint32_t*>(w + row * stride), stride / depth,
                    std::min(kPanelColumns, n - row), k / depth,
                    panels + p * panel_stride(k / depth), kPanelColumns);
  }
}

template <class Number>
MUONLAB_INLINE void natural_panels(const Number* b, int64_t stride, int64_t k, int64_t n,
                                   uint32_t* panels, int64_t begin, int64_t end) {
  const int64_t k_units = units(b, k);
  for (int64_t p = begin; p < end; ++p) {
    const int64_t column = p * kPanelColumns;
    pack_rows(b + column, stride, k, std::min(kPanelColumns, n - column), k,
              panels + p * panel_stride(k_units), kPanelColumns);
  }
}

MUONLAB_INLINE __m512i unit_row(const float* x, int64_t stride, int64_t row, int64_t num_rows,
                                __mmask16 lanes) {
  return row < num_rows ? _mm512_maskz_loadu_epi32(lanes, x + row * stride)
                        : _mm512_setzero_si512();
}

MUONLAB_INLINE __m512i unit_row(const Bf16* x, int64_t stride, int64_t pair, int64_t num_rows,
                                __mmask16 lanes) {
  const auto row = [&](int64_t i) {
    return i < num_rows ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, x + i * stride))
                        : _mm512_setzero_si512();
  };
  return _mm512_or_si512(row(2 * pair), _mm512_slli_epi32(row(2 * pair + 1), 16));
}

// Takes whole cache lines of x (64 bytes of 16 or 32 neighbouring rows), and fetches the lines to
// the right ahead: rows may lie a power of two apart, where nothing stays in the first-level cache.
template <class Number>
MUONLAB_INLINE void transpose_rows(const Number* x, int64_t stride, int64_t k, int64_t m,
                                   uint32_t* out, int64_t begin, int64_t end) {
  constexpr int64_t kDepth = sizeof(uint32_t) / sizeof(Number), kLine = 64 / sizeof(Number);
  constexpr int64_t kRowsAtATime = 128;  // units
  const int64_t k_units = units(x, k), out_stride = transposed_a_stride(k_units),
                stop = std::min(16 * end, (m + 15) / 16 * 16);
  for (int64_t top = 0; top < k_units; top += kRowsAtATime) {
    const int64_t bottom = std::min(k_units, top + kRowsAtATime);
    for (int64_t line = 16 * begin; line < stop; line += kLine) {
      for (int64_t i = top; i < bottom; i += 16) {
        if (line + kLine < m) {
          const int64_t last = std::min(k, (i + 16) * kDepth);
          for (int64_t row = i * kDepth; row < last; ++row) {
            _mm_prefetch(reinterpret_cast<const char*>(x + row * stride + line + kLine),
                         _MM_HINT_T0);
          }
        }
        for (int64_t j = line; j < std::min(line + kLine, stop); j += 16) {
          const __mmask16 lanes =
              m - j >= 16 ? 0xffff : static_cast<__mmask16>((1u << (m - j)) - 1u);
          __m512i block[16];
#pragma GCC unroll 16
          for (int64_t r = 0; r < 16; ++r) block[r] = unit_row(x + j, stride, i + r, k, lanes);
          transpose_registers(block);
#pragma GCC unroll 16
          for (int64_t r = 0; r < 16; ++r)
            _mm512_storeu_si512(out + (j + r) * out_stride + i, block[r]);
        }
      }
    }
  }
}

}  // namespace

void pack_transposed(const float* w, int64_t stride, int64_t n, int64_t k, uint32_t* panels,
                     int64_t begin, int64_t end) {
  transposed_panels(w, stride, n, k, panels, begin, end);
}
void pack_transposed(const Bf16* w, int64_t stride, int64_t n, int64_t k, uint32_t* panels,
                     int64_t begin, int64_t end) {
  transposed_panels(w, stride, n, k, panels, begin, end);
}
void pack_natural(const float* b, int64_t stride, int64_t k, int64_t n, uint32_t* panels,
                  int64_t begin, int64_t end) {
  natural_panels(b, stride, k, n, panels, begin, end);
}
void pack_natural(const Bf16* b, int64_t stride, int64_t k, int64_t n, uint32_t* panels,
                  int64_t begin, int64_t end) {
  natural_panels(b, stride, k, n, panels, begin, end);
}
void pack_transposed_a(const float* x, int64_t stride, int64_t k, int64_t m, uint32_t* out,
                       int64_t begin, int64_t end) {
  transpose_rows(x, stride, k, m, out, begin, end);
}
void pack_transposed_a(const Bf16* x, int64_t stride, int64_t k, int64_t m, uint32_t* out,
                       int64_t begin, int64_t end) {
  transpose_rows(x, stride, k, m, out, begin, end);
}

void multiply(const Gemm& gemm, const float*, float* c, int64_t stride, bool add, int64_t begin,
              int64_t end) {
  tasks<Fp32Unit>(gemm, FloatOut{c, stride}, add, begin, end);
}
void multiply(const Gemm& gemm, const Bf16*, float* c, int64_t stride, bool add, int64_t begin,
              int64_t end) {
  tasks<Bf16Unit>(gemm, FloatOut{c, stride}, add, begin, end);
}
void multiply(const Gemm& gemm, const Bf16*, Bf16* c, int64_t stride, bool add, int64_t begin,
              int64_t end) {
  tasks<Bf16Unit>(gemm, Bf16Out{c, stride}, add, begin, end);
}

}  // namespace muonlab::ops
#pragma GCC pop_options

#else

namespace muonlab::ops {

void pack_transposed(const float*, int64_t, int64_t, int64_t, uint32_t*, int64_t, int64_t) {
  __builtin_trap();
}
void pack_transposed(const Bf16*, int64_t, int64_t, int64_t, uint32_t*, int64_t, int64_t) {
  __builtin_trap();
}
void pack_natural(const float*, int64_t, int64_t, int64_t, uint32_t*, int64_t, int64_t) {
  __builtin_trap();
}
void pack_natural(const Bf16*, int64_t, int64_t, int64_t, uint32_t*, int64_t, int64_t) {
  __builtin_trap();
}
void pack_transposed_a(const float*, int64_t, int64_t, int64_t, uint32_t*, int64_t, int64_t) {
  __builtin_trap();
}
void pack_transposed_a(const Bf16*, int64_t, int64_t, int64_t, uint32_t*, int64_t, int64_t) {
  __builtin_trap();
}
void multiply(const Gemm&, const float*, float*, int64_t, bool, int64_t, int64_t) {
  __builtin_trap();
}
void multiply(const Gemm&, const Bf16*, float*, int64_t, bool, int64_t, int64_t) {
  __builtin_trap();
}
void multiply(const Gemm&, const Bf16*, Bf16*, int64_t, bool, int64_t, int64_t) {
  __builtin_trap();
}

}  // namespace muonlab::ops
#endif
