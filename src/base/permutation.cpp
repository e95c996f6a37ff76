#include "muonlab/base/permutation.hpp"

#include <algorithm>
#include <bit>

#include "muonlab/base/error.hpp"
#include "muonlab/base/philox.hpp"

namespace muonlab::base {
namespace {

constexpr int kRounds = 10;
// Halves of one or two bits would favour some orders of a handful; walking a longer cycle there
// costs little.
constexpr int kLeastBits = 8;

// The finaliser of MurmurHash3 with Stafford's "variant 13" constants: every bit of the input moves
// every bit out.
uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

uint64_t low_bits(int count) { return count == 0 ? 0 : ~uint64_t{0} >> (64 - count); }

}  // namespace

uint64_t permute(uint64_t index, uint64_t n, uint64_t key) {
  check(index < n, "an index beyond the permutation's end");
  if (n == 1) return 0;
  const int bits = std::max(kLeastBits, static_cast<int>(std::bit_width(n - 1)));
  const int low =
      (bits + 1) /
      2;  // the halves may differ by one bit: each round changes one by a function of the other
  const uint64_t low_mask = low_bits(low);
  const uint64_t high_mask = low_bits(bits - low);
  uint64_t x = index;
  do {
    uint64_t left = x >> low;
    uint64_t right = x & low_mask;
    for (uint64_t round = 0; round < kRounds; round += 2) {
      left ^= mix(right + mix(key + round)) & high_mask;
      right ^= mix(left + mix(key + round + 1)) & low_mask;
    }
    x = left << low | right;
  } while (x >= n);
  return x;
}

uint64_t permutation_key(uint64_t seed, uint64_t epoch) {
  const Block block = Philox(seed, Purpose::order).bits(epoch);
  return uint64_t{block[0]} << 32 | block[1];
}

}  // namespace muonlab::base
