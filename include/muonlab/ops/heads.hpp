// How queries, keys and values lie side by side in one row.
#pragma once

#include <cstdint>

namespace muonlab::ops {

// A row of the packed tensor is [query heads | key heads | value heads], each head `head_dim`
// numbers.
struct Heads {
  int64_t queries = 1;
  int64_t keys = 1;  // key heads, and as many value heads; divides `queries`
  int64_t head_dim = 2;

  int64_t query_width() const { return queries * head_dim; }
  int64_t key_width() const { return keys * head_dim; }
  int64_t packed_width() const { return (queries + 2 * keys) * head_dim; }
};

}  // namespace muonlab::ops
