// A pseudo-random permutation of [0, n) evaluated at one index, in O(1) time and memory: a Feistel
// network over the next power of two, walked along its cycle until it falls below n (Black and
// Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002).
#pragma once

#include <cstdint>

namespace muonlab::base {

// Requires index < n (throws Bug otherwise). Different keys give unrelated permutations.
uint64_t permute(uint64_t index, uint64_t n, uint64_t key);

// The key of an epoch's sample order.
uint64_t permutation_key(uint64_t seed, uint64_t epoch);

}  // namespace muonlab::base
