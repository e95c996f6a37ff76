#include "ops/attention_kernel.hpp"

#if defined(__x86_64__)
#pragma GCC diagnostic ignored \
    "-Wmaybe-uninitialized"  // false alarms in g++ 12's own intrinsics (GCC bug 105593)
#include <algorithm>
#include <cmath>
#include <memory>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma,avx2,bmi2")
#include "ops/attention_view.hpp"

namespace muonlab::ops {
namespace {

// One row of scores becomes unnormalized probabilities in the product's numbers, zero from
// `visible` on up to `padded`, a multiple of 16, and with kMasked also before `from`.
template <bool kMasked, class Number>
MUONLAB_INLINE void softmax_row(const float* scores, int64_t from, int64_t visible, int64_t padded,
                                float scale, Number* p, float& inverse_sum, float& lse) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const auto seen = [&](int64_t j) {
    const __mmask16 early =
        _mm512_cmplt_epi32_mask(lanes, _mm512_set1_epi32(static_cast<int>(visible - j)));
    if constexpr (!kMasked) return early;
    return _mm512_mask_cmpge_epi32_mask(early, lanes,
                                        _mm512_set1_epi32(static_cast<int>(from - j)));
  };
  __m512 largest = _mm512_set1_ps(scores[kMasked ? from : 0]);
  for (int64_t j = 0; j < visible; j += 16) {
    largest = _mm512_mask_max_ps(largest, seen(j), largest, _mm512_loadu_ps(scores + j));
  }
  const float top = _mm512_reduce_max_ps(largest);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t j = 0; j < padded; j += 16) {
    const __m512 x = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(scores + j), _mm512_set1_ps(top)),
                                   _mm512_set1_ps(scale));
    const __m512 e = _mm512_maskz_mov_ps(seen(j), exp_lanes(x));
    store_lanes(p + j, e);
    sum = _mm512_add_ps(sum, e);
  }
  const float total = _mm512_reduce_add_ps(sum);
  inverse_sum = 1.0f / total;
  lse = top * scale + std::log(total);
}

template <class Unit>
void forward_task(const HeadView<Unit>& view, const typename Unit::Number* qkv,
                  typename Unit::Number* out, float* lse, Scratch scratch) {
  using Number = typename Unit::Number;
  constexpr int64_t kDepth = Unit::kDepth;
  const int64_t t = view.t, d = view.d, d_units = d / kDepth;
  uint32_t* keys = scratch.units(round_up(d_units, 16) * view.padded_t);     // [d units, t]
  uint32_t* values = scratch.units(view.padded_t / kDepth * view.padded_d);  // [t units, d]
  float* scores = scratch.floats(kBlock * view.padded_t);                    // [query, t]
  auto* p = reinterpret_cast<Number*>(scratch.units(kBlock * view.padded_t / kDepth));
  float* mixed = scratch.floats(kBlock * view.padded_d);
  transpose_units(as_units(qkv + view.keys_at), view.width / kDepth, t, d_units, keys,
                  view.padded_t);
  pack_rows(qkv + view.values_at, view.width, t, d, view.padded_t, values, view.padded_d);
  for (int64_t head = 0; head < view.group; ++head) {
    for (int64_t first = 0; first < t; first += kBlock) {
      const int64_t count = std::min(kBlock, t - first);
      const int64_t skip = view.skipped(first, count);
      const int64_t length = round_up(first + count, 16) - skip;
      const Number* q = qkv + view.queries_at + head * d + first * view.width;
      multiply<Unit>(count, length, d_units, q, view.width / kDepth, keys + skip, view.padded_t,
                     scores, view.padded_t, false);
      float inverse_sum[kBlock];
      for (int64_t i = 0; i < count; ++i) {
        const float* row = scores + i * view.padded_t;
        Number* to = p + i * view.padded_t;
        float& log_sum = lse[view.lse_at + head * t + first + i];
        const int64_t visible = first + i + 1 - skip;
        if (view.first_keys == nullptr) {
          softmax_row<false>(row, 0, visible, length, view.scale, to, inverse_sum[i], log_sum);
        } else {
          softmax_row<true>(row, view.first_keys[first + i] - skip, visible, length, view.scale, to,
                            inverse_sum[i], log_sum);
        }
      }
      multiply<Unit>(count, view.padded_d, length / kDepth, p, view.padded_t / kDepth,
                     values + skip / kDepth * view.padded_d, view.padded_d, mixed, view.padded_d,
                     false);
      for (int64_t i = 0; i < count; ++i) {
        Number* to = out + view.out_at + (first + i) * view.out_width + head * d;
        const float* from = mixed + i * view.padded_d;
#pragma omp simd
        for (int64_t c = 0; c < d; ++c) store(to, c, from[c] * inverse_sum[i]);
      }
    }
  }
}

int64_t forward_scratch(int64_t t, int64_t d, int64_t depth) {
  const int64_t padded_t = round_up(t, kBlock), padded_d = round_up(d, 16);
  return round_up(d, 16) * padded_t + padded_t / depth * padded_d + kBlock * padded_t +
         kBlock * padded_t / depth + kBlock * padded_d + 1024;
}

template <class Unit>
void forward_tasks(const AttentionShape& shape, const typename Unit::Number* qkv,
                   typename Unit::Number* out, float* lse, int64_t begin, int64_t end) {
  for (int64_t task = begin; task < end; ++task) {
    forward_task<Unit>(
        HeadView<Unit>(shape, task), qkv, out, lse,
        Scratch(forward_scratch(shape.num_positions, shape.heads.head_dim, Unit::kDepth)));
  }
}

}  // namespace

void attention_forward(const AttentionShape& shape, const float* qkv, float* out, float* lse,
                       int64_t begin, int64_t end) {
  forward_tasks<Fp32Unit>(shape, qkv, out, lse, begin, end);
}

void attention_forward(const AttentionShape& shape, const Bf16* qkv, Bf16* out, float* lse,
                       int64_t begin, int64_t end) {
  forward_tasks<Bf16Unit>(shape, qkv, out, lse, begin, end);
}

}  // namespace muonlab::ops
#pragma GCC pop_options

#else

namespace muonlab::ops {

void attention_forward(const AttentionShape&, const float*, float*, float*, int64_t, int64_t) {
  __builtin_trap();
}
void attention_forward(const AttentionShape&, const Bf16*, Bf16*, float*, int64_t, int64_t) {
  __builtin_trap();
}

}  // namespace muonlab::ops
#endif
