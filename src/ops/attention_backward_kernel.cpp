#include "ops/attention_kernel.hpp"

#if defined(__x86_64__)
#pragma GCC diagnostic ignored \
    "-Wmaybe-uninitialized"  // false alarms in g++ 12's own intrinsics (GCC bug 105593)
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma,avx2,bmi2")
#include "ops/attention_view.hpp"

namespace muonlab::ops {
namespace {

// What the backward of one block of queries works on; everything that lies [key, query] is 64
// queries wide.
struct BackwardBlock {
  uint32_t* queries_across;                // [d units, query]
  uint32_t* d_out_across;                  // [d units, query]
  uint32_t* queries_down;                  // [query units, d]
  uint32_t* d_out_down;                    // [query units, d]
  float* scores;                           // [key, query]; then probabilities
  float* d_scores;                         // [key, query]
  uint32_t* p_rows;                        // numbers [key, query]
  uint32_t* d_scores_rows;                 // numbers [key, query]
  uint32_t* d_scores_columns;              // numbers [query, key]
  float* d_queries;                        // [query, d]
  alignas(64) float lse[kBlock];           // +inf beyond the last query
  alignas(64) float dots[kBlock];          // d_out . out
  alignas(64) int32_t first_keys[kBlock];  // less the keys that are skipped
};

// scores and d_scores (both [key, query], products without scale) become P and dS, in the numbers
// of the next products. `first`: the first query less the keys that are skipped.
template <bool kMasked, class Unit>
MUONLAB_INLINE void probabilities(const BackwardBlock& block, int64_t first, int64_t num_keys,
                                  float scale) {
  using Number = typename Unit::Number;
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (int64_t j = 0; j < num_keys; ++j) {
    float* s = block.scores + j * kBlock;
    float* ds = block.d_scores + j * kBlock;
    Number* p_row = reinterpret_cast<Number*>(block.p_rows) + j * kBlock;
    Number* ds_row = reinterpret_cast<Number*>(block.d_scores_rows) + j * kBlock;
    // Queries before this one do not see key j.
    const __m512i hidden = _mm512_set1_epi32(static_cast<int>(j - first));
    for (int64_t i = 0; i < kBlock; i += 16) {
      const __m512i query = _mm512_add_epi32(lanes, _mm512_set1_epi32(static_cast<int>(i)));
      const __m512 x = _mm512_fmsub_ps(_mm512_loadu_ps(s + i), _mm512_set1_ps(scale),
                                       _mm512_load_ps(block.lse + i));
      __mmask16 sees = _mm512_cmpge_epi32_mask(query, hidden);
      if constexpr (kMasked) {
        sees = _mm512_mask_cmple_epi32_mask(sees, _mm512_load_si512(block.first_keys + i),
                                            _mm512_set1_epi32(static_cast<int>(j)));
      }
      const __m512 p = _mm512_maskz_mov_ps(sees, exp_lanes(x));
      const __m512 error = _mm512_sub_ps(_mm512_loadu_ps(ds + i), _mm512_load_ps(block.dots + i));
      const __m512 slope = _mm512_mul_ps(_mm512_mul_ps(p, error), _mm512_set1_ps(scale));
      store_lanes(p_row + i, p);
      store_lanes(ds_row + i, slope);
      _mm512_storeu_ps(ds + i, slope);
    }
  }
}

// dS [key, query] in fp32 -> numbers [query, key] in units of keys; keys beyond num_keys up to
// `padded` are zero.
template <class Unit>
MUONLAB_INLINE void turn(const BackwardBlock& block, int64_t num_keys, int64_t padded,
                         int64_t ld_units) {
  constexpr int64_t kDepth = Unit::kDepth;
  std::memset(block.d_scores + num_keys * kBlock, 0,
              static_cast<size_t>((padded - num_keys) * kBlock) * sizeof(float));
  for (int64_t j = 0; j < padded; j += 16 * kDepth) {
    for (int64_t i = 0; i < kBlock; i += 16) {
      __m512i unit[16];
      for (int64_t r = 0; r < 16; ++r) {
        unit[r] = to_units(Unit{}, block.d_scores + (j + r * kDepth) * kBlock + i, kBlock);
      }
      transpose_registers(unit);
      for (int64_t r = 0; r < 16; ++r) {
        _mm512_storeu_si512(block.d_scores_columns + (i + r) * ld_units + j / kDepth, unit[r]);
      }
    }
  }
}

template <class Number>
MUONLAB_INLINE float dot(const Number* a, const Number* b, int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += load(a, i) * load(b, i);
  return sum;
}

template <class Unit>
void backward_task(const HeadView<Unit>& view, const typename Unit::Number* qkv,
                   const typename Unit::Number* out, const typename Unit::Number* d_out,
                   const float* lse, typename Unit::Number* d_qkv, Scratch scratch) {
  using Number = typename Unit::Number;
  constexpr int64_t kDepth = Unit::kDepth;
  const int64_t t = view.t, d = view.d, d_units = d / kDepth, padded_d = view.padded_d,
                padded_t = view.padded_t;
  uint32_t* keys_down = scratch.units(padded_t / kDepth * padded_d);  // [t units, d]
  float* d_keys = scratch.floats(padded_t * padded_d);
  float* d_values = scratch.floats(padded_t * padded_d);
  BackwardBlock block;
  block.queries_across = scratch.units(round_up(d_units, 16) * kBlock);
  block.d_out_across = scratch.units(round_up(d_units, 16) * kBlock);
  block.queries_down = scratch.units(kBlock / kDepth * padded_d);
  block.d_out_down = scratch.units(kBlock / kDepth * padded_d);
  block.scores = scratch.floats(padded_t * kBlock);
  block.d_scores = scratch.floats(padded_t * kBlock);
  block.p_rows = scratch.units(padded_t * kBlock / kDepth);
  block.d_scores_rows = scratch.units(padded_t * kBlock / kDepth);
  block.d_scores_columns = scratch.units(padded_t * kBlock / kDepth);
  block.d_queries = scratch.floats(kBlock * padded_d);

  pack_rows(qkv + view.keys_at, view.width, t, d, padded_t, keys_down, padded_d);
  std::memset(d_keys, 0, static_cast<size_t>(padded_t * padded_d) * sizeof(float));
  std::memset(d_values, 0, static_cast<size_t>(padded_t * padded_d) * sizeof(float));
  const int64_t ld = view.width / kDepth, ld_out = view.out_width / kDepth;
  for (int64_t head = 0; head < view.group; ++head) {
    for (int64_t first = 0; first < t; first += kBlock) {
      const int64_t count = std::min(kBlock, t - first), skip = view.skipped(first, count);
      const int64_t num_keys = first + count - skip;
      const int64_t padded_keys = round_up(num_keys, 32);
      const Number* q = qkv + view.queries_at + head * d + first * view.width;
      const int64_t rows_at = view.out_at + first * view.out_width + head * d;
      const Number* g = d_out + rows_at;
      for (int64_t i = 0; i < kBlock; ++i) {
        const bool exists = i < count;
        block.lse[i] = exists ? lse[view.lse_at + head * t + first + i]
                              : std::numeric_limits<float>::infinity();
        block.dots[i] =
            exists ? dot(g + i * view.out_width, out + rows_at + i * view.out_width, d) : 0.0f;
        if (view.first_keys != nullptr) {
          block.first_keys[i] =
              exists ? view.first_keys[first + i] - static_cast<int32_t>(skip) : 0;
        }
      }
      if (count < kBlock) {
        std::memset(block.queries_across, 0,
                    static_cast<size_t>(round_up(d_units, 16) * kBlock) * 4);
        std::memset(block.d_out_across, 0, static_cast<size_t>(round_up(d_units, 16) * kBlock) * 4);
      }
      transpose_units(as_units(q), ld, count, d_units, block.queries_across, kBlock);
      transpose_units(as_units(g), ld_out, count, d_units, block.d_out_across, kBlock);
      pack_rows(q, view.width, count, d, kBlock, block.queries_down, padded_d);
      pack_rows(g, view.out_width, count, d, kBlock, block.d_out_down, padded_d);

      const Number *seen_keys = qkv + view.keys_at + skip * view.width,
                   *seen_values = qkv + view.values_at + skip * view.width;
      multiply<Unit>(num_keys, kBlock, d_units, seen_keys, ld, block.queries_across, kBlock,
                     block.scores, kBlock, false);
      multiply<Unit>(num_keys, kBlock, d_units, seen_values, ld, block.d_out_across, kBlock,
                     block.d_scores, kBlock, false);
      if (view.first_keys == nullptr) {
        probabilities<false, Unit>(block, first, num_keys, view.scale);
      } else {
        probabilities<true, Unit>(block, first - skip, num_keys, view.scale);
      }
      multiply<Unit>(num_keys, padded_d, kBlock / kDepth, block.p_rows, kBlock / kDepth,
                     block.d_out_down, padded_d, d_values + skip * padded_d, padded_d, true);
      multiply<Unit>(num_keys, padded_d, kBlock / kDepth, block.d_scores_rows, kBlock / kDepth,
                     block.queries_down, padded_d, d_keys + skip * padded_d, padded_d, true);
      turn<Unit>(block, num_keys, padded_keys, padded_t / kDepth);
      multiply<Unit>(count, padded_d, padded_keys / kDepth, block.d_scores_columns,
                     padded_t / kDepth, keys_down + skip / kDepth * padded_d, padded_d,
                     block.d_queries, padded_d, false);
      for (int64_t i = 0; i < count; ++i) {
        Number* to = d_qkv + view.queries_at + head * d + (first + i) * view.width;
        const float* from = block.d_queries + i * padded_d;
#pragma omp simd
        for (int64_t c = 0; c < d; ++c) store(to, c, from[c]);
      }
    }
  }
  for (int64_t j = 0; j < t; ++j) {
    Number* to_key = d_qkv + view.keys_at + j * view.width;
    Number* to_value = d_qkv + view.values_at + j * view.width;
#pragma omp simd
    for (int64_t c = 0; c < d; ++c) {
      store(to_key, c, d_keys[j * padded_d + c]);
      store(to_value, c, d_values[j * padded_d + c]);
    }
  }
}

int64_t backward_scratch(int64_t t, int64_t d, int64_t depth) {
  const int64_t padded_t = round_up(t, kBlock), padded_d = round_up(d, 16);
  return padded_t / depth * padded_d + 2 * padded_t * padded_d + 2 * round_up(d, 16) * kBlock +
         2 * kBlock / depth * padded_d + 2 * padded_t * kBlock + 3 * padded_t * kBlock / depth +
         kBlock * padded_d + 1024;
}

template <class Unit>
void backward_tasks(const AttentionShape& shape, const typename Unit::Number* qkv,
                    const typename Unit::Number* out, const typename Unit::Number* d_out,
                    const float* lse, typename Unit::Number* d_qkv, int64_t begin, int64_t end) {
  for (int64_t task = begin; task < end; ++task) {
    backward_task<Unit>(
        HeadView<Unit>(shape, task), qkv, out, d_out, lse, d_qkv,
        Scratch(backward_scratch(shape.num_positions, shape.heads.head_dim, Unit::kDepth)));
  }
}

}  // namespace

void attention_backward(const AttentionShape& shape, const float* qkv, const float* out,
                        const float* d_out, const float* lse, float* d_qkv, int64_t begin,
                        int64_t end) {
  backward_tasks<Fp32Unit>(shape, qkv, out, d_out, lse, d_qkv, begin, end);
}

void attention_backward(const AttentionShape& shape, const Bf16* qkv, const Bf16* out,
                        const Bf16* d_out, const float* lse, Bf16* d_qkv, int64_t begin,
                        int64_t end) {
  backward_tasks<Bf16Unit>(shape, qkv, out, d_out, lse, d_qkv, begin, end);
}

}  // namespace muonlab::ops
#pragma GCC pop_options

#else

namespace muonlab::ops {

void attention_backward(const AttentionShape&, const float*, const float*, const float*,
                        const float*, float*, int64_t, int64_t) {
  __builtin_trap();
}
void attention_backward(const AttentionShape&, const Bf16*, const Bf16*, const Bf16*, const float*,
                        Bf16*, int64_t, int64_t) {
  __builtin_trap();
}

}  // namespace muonlab::ops
#endif
