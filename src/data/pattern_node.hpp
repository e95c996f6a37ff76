// The parts of a compiled SplitPattern; each names the one that follows it.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "data/split_pattern.hpp"

namespace muonlab::data {

struct SplitPattern::Node {
  enum class Kind { accept, set, end, look_ahead, branch };
  static constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

  Kind kind = Kind::accept;
  int next = 0;
  int set = 0;  // of a set: which, and how many of its characters
  int64_t min = 1, max = 1;
  bool negative = false;        // of a look-ahead
  std::vector<int> branches{};  // the first that leads to a match counts
};

}  // namespace muonlab::data
