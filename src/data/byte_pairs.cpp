#include "data/byte_pairs.hpp"

#include <algorithm>
#include <queue>

namespace muonlab::data {

namespace {

uint64_t pair_of(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// Ids in a row from which some disappear.
struct Symbol {
  int32_t id;
  int32_t before, after;  // -1: none
};

struct Candidate {
  int32_t rank, at;
  int32_t left, right, merged;  // ids; it counts only while they still stand there
  bool operator<(const Candidate& other) const {  // the top of a priority_queue is the largest
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

}  // namespace

const BytePairs::Merge* BytePairs::find(int32_t left, int32_t right) const {
  const uint64_t pair = pair_of(left, right);
  for (size_t at = place(pair);; ++at) {
    const Merge& merge = table_[at & (table_.size() - 1)];
    if (merge.rank < 0) return nullptr;
    if (merge.pair == pair) return &merge;
  }
}

void BytePairs::grow() {
  std::vector<Merge> old(table_.size() * 2);
  old.swap(table_);
  for (const Merge& merge : old) {
    if (merge.rank < 0) continue;
    size_t at = place(merge.pair);
    while (table_[at & (table_.size() - 1)].rank >= 0) ++at;
    table_[at & (table_.size() - 1)] = merge;
  }
}

void BytePairs::add_merge(int32_t left, int32_t right, int32_t merged) {
  if (used_ * 2 >= table_.size()) grow();
  const uint64_t pair = pair_of(left, right);
  size_t at = place(pair);
  while (table_[at & (table_.size() - 1)].rank >= 0 &&
         table_[at & (table_.size() - 1)].pair != pair)
    ++at;
  Merge& merge = table_[at & (table_.size() - 1)];
  used_ += merge.rank < 0;
  merge = {pair, ranks_++, merged};
}

void BytePairs::encode(std::string_view bytes, std::vector<int32_t>& ids) const {
  const auto count = static_cast<int32_t>(bytes.size());
  std::vector<Symbol> symbols(bytes.size());
  std::priority_queue<Candidate> queue;
  const auto consider = [&](int32_t at) {
    const int32_t next = symbols[at].after;
    if (next < 0) return;
    if (const Merge* merge = find(symbols[at].id, symbols[next].id)) {
      queue.push({merge->rank, at, symbols[at].id, symbols[next].id, merge->merged});
    }
  };
  for (int32_t i = 0; i < count; ++i) {
    symbols[i] = {byte_ids_[static_cast<uint8_t>(bytes[i])], i - 1, i + 1 < count ? i + 1 : -1};
  }
  for (int32_t i = 0; i + 1 < count; ++i) consider(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.at];
    if (left.id != best.left || left.after < 0 || symbols[left.after].id != best.right) continue;
    Symbol& right = symbols[left.after];
    left.id = best.merged;
    left.after = right.after;
    right.id = -1;
    if (left.after >= 0) symbols[left.after].before = best.at;
    consider(best.at);
    if (left.before >= 0) consider(left.before);
  }
  for (int32_t at = 0; at >= 0 && at < count; at = symbols[at].after) ids.push_back(symbols[at].id);
}

}  // namespace muonlab::data
