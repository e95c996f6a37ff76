// QK-norm and rotation on rows of packed queries, keys and values.
#pragma once

#include <cstdint>

#include "muonlab/ops/attention_spec.hpp"
#include "ops/simd.hpp"

namespace muonlab::ops {

// What the rotation of a row needs. Row r holds position r mod num_positions.
struct RopeRows {
  Heads heads;
  int64_t num_positions = 1;
  const float* cosine = nullptr;  // [positions, d / 2]
  const float* sine = nullptr;
  bool has_norm = false;  // RMSNorm of each query and key head first
  float eps = 0;
  const float* query_gain = nullptr;  // [d]; null: one
  const float* key_gain = nullptr;
};

// Rows [begin, end) of `in` to `out`, both [n, packed width]; values are copied. in == out is
// allowed.
void rope_forward(const RopeRows& rows, const float* in, float* out, int64_t begin, int64_t end);
void rope_forward(const RopeRows& rows, const Bf16* in, Bf16* out, int64_t begin, int64_t end);

// Gradients with respect to `out` in `d` become gradients with respect to `in`, in place. `in` (the
// same as before; needed only with has_norm) is not changed. d_query_gain and d_key_gain [d], when
// not null, are added to, row after row. scratch: [d], one thread's.
void rope_backward(const RopeRows& rows, const float* in, float* d, float* d_query_gain,
                   float* d_key_gain, float* scratch, int64_t begin, int64_t end);
void rope_backward(const RopeRows& rows, const Bf16* in, Bf16* d, float* d_query_gain,
                   float* d_key_gain, float* scratch, int64_t begin, int64_t end);

}  // namespace muonlab::ops
