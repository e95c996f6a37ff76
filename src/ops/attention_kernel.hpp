// Causal attention over packed rows, tiled in registers (AVX-512, for bf16 also its dot product).
#pragma once

#include <cstdint>
#include <optional>

#include "muonlab/ops/attention_spec.hpp"
#include "ops/simd.hpp"

namespace muonlab::ops {

struct AttentionShape {
  int64_t num_sequences = 1;
  int64_t num_positions = 1;
  Heads heads;
  std::optional<double> scale{};        // absent: 1 / sqrt(head_dim)
  const int32_t* first_keys = nullptr;  // [b, t]: the first key that each query sees; null: 0
};

// Whether this machine has the instructions; the functions below REQUIRE it.
bool has_attention_kernel(const float*);
bool has_attention_kernel(const Bf16*);
// Off makes has_attention_kernel say no: tests of the way without.
void allow_attention_kernel(bool allowed);

// qkv [b * t, packed width]; out [b * t, query width]; lse [b, query heads, t]: log of the sum of
// exponentials of a query's scaled scores. Tasks [begin, end) of b * key heads; a task does its key
// head's queries.
void attention_forward(const AttentionShape& shape, const float* qkv, float* out, float* lse,
                       int64_t begin, int64_t end);
void attention_forward(const AttentionShape& shape, const Bf16* qkv, Bf16* out, float* lse,
                       int64_t begin, int64_t end);

// Writes every number of the tasks' heads in d_qkv [b * t, packed width].
void attention_backward(const AttentionShape& shape, const float* qkv, const float* out,
                        const float* d_out, const float* lse, float* d_qkv, int64_t begin,
                        int64_t end);
void attention_backward(const AttentionShape& shape, const Bf16* qkv, const Bf16* out,
                        const Bf16* d_out, const float* lse, Bf16* d_qkv, int64_t begin,
                        int64_t end);

}  // namespace muonlab::ops
