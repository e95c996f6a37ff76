// Byte-pair encoding over bytes: the vocabulary and the order of the merges.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace muonlab::data {

class BytePairs {
 public:
  // ids of the 256 bytes, in their order.
  explicit BytePairs(const std::array<int32_t, 256>& byte_ids) : byte_ids_(byte_ids) {}

  // In the order of their ranks; a pair that comes again counts with its last rank.
  void add_merge(int32_t left, int32_t right, int32_t merged);
  // Appends the ids of a pretoken: again and again the pair of neighbours of the lowest rank, the
  // leftmost of equals, becomes one, until no pair can.
  void encode(std::string_view bytes, std::vector<int32_t>& ids) const;

 private:
  struct Merge {
    uint64_t pair;
    int32_t rank = -1;  // -1: this place is empty
    int32_t merged = 0;
  };
  const Merge* find(int32_t left, int32_t right) const;
  void grow();
  static size_t place(uint64_t pair) { return (pair * 0x9E3779B97F4A7C15u) >> 20; }

  std::array<int32_t, 256> byte_ids_;
  std::vector<Merge> table_ = std::vector<Merge>(1024);  // open addressing, at most half full
  size_t used_ = 0;
  int32_t ranks_ = 0;
};

}  // namespace muonlab::data
