// What the forward and the backward of attention share. Include only between the target pragmas of
// a kernel source.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>

#include "ops/attention_kernel.hpp"
#include "ops/tile_avx512.hpp"

namespace muonlab::ops {

// Queries are taken in blocks of kBlock; keys up to the last query of the block.
inline constexpr int64_t kBlock = 64;

MUONLAB_INLINE int64_t round_up(int64_t x, int64_t multiple) {
  return (x + multiple - 1) / multiple * multiple;
}

// Uninitialized 64-byte aligned memory for 32-bit numbers, given out piece by piece.
class Scratch {
 public:
  explicit Scratch(int64_t count)
      : memory_(new (std::align_val_t{64}) uint32_t[static_cast<size_t>(count)]),
        next_(memory_.get()),
        left_(count) {}
  uint32_t* units(int64_t count) {
    count = round_up(count, 16);
    left_ -= count;
    if (left_ < 0) __builtin_trap();
    uint32_t* piece = next_;
    next_ += count;
    return piece;
  }
  float* floats(int64_t count) { return reinterpret_cast<float*>(units(count)); }

 private:
  struct Free {
    void operator()(uint32_t* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<uint32_t[], Free> memory_;
  uint32_t* next_;
  int64_t left_;
};

// The positions of one key head and its query heads in a packed sequence.
template <class Unit>
struct HeadView {
  using Number = typename Unit::Number;
  static constexpr int64_t kDepth = Unit::kDepth;

  HeadView(const AttentionShape& shape, int64_t task)
      : t(shape.num_positions),
        d(shape.heads.head_dim),
        width(shape.heads.packed_width()),
        out_width(shape.heads.query_width()),
        group(shape.heads.queries / shape.heads.keys),
        sequence(task / shape.heads.keys),
        key_head(task % shape.heads.keys),
        padded_d(round_up(d, 16)),
        padded_t(round_up(t, kBlock)),
        scale(shape.scale ? static_cast<float>(*shape.scale)
                          : 1.0f / std::sqrt(static_cast<float>(d))) {
    const int64_t start = sequence * t * width;
    keys_at = start + (shape.heads.queries + key_head) * d;
    values_at = keys_at + shape.heads.keys * d;
    queries_at = start + key_head * group * d;
    out_at = sequence * t * out_width + key_head * group * d;
    lse_at = (sequence * shape.heads.queries + key_head * group) * t;
    if (shape.first_keys != nullptr) first_keys = shape.first_keys + sequence * t;
  }

  // Keys before this one, a multiple of 32, are seen by no query of the block.
  int64_t skipped(int64_t first, int64_t count) const {
    if (first_keys == nullptr) return 0;
    return *std::min_element(first_keys + first, first_keys + first + count) / 32 * 32;
  }

  int64_t t, d, width, out_width, group, sequence, key_head, padded_d, padded_t;
  float scale;
  const int32_t* first_keys = nullptr;  // of the sequence; null: every query sees key 0
  int64_t keys_at, values_at, queries_at, out_at, lse_at;
};

template <class Number>
MUONLAB_INLINE const uint32_t* as_units(const Number* p) {
  return reinterpret_cast<const uint32_t*>(p);
}

}  // namespace muonlab::ops
