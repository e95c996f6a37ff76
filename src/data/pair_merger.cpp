#include "data/pair_merger.hpp"

#include <unordered_set>

#include "muonlab/base/error.hpp"

namespace muonlab::data {
namespace {

uint64_t pair_of(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}
int32_t left_of(uint64_t pair) { return static_cast<int32_t>(pair >> 32); }
int32_t right_of(uint64_t pair) { return static_cast<int32_t>(pair & 0xFFFFFFFF); }

void add_place(std::vector<uint32_t>& places, uint32_t word) {
  if (places.empty() || places.back() != word) places.push_back(word);
}

}  // namespace

PairMerger::PairMerger(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  for (size_t id = 0; id < tokens_.size(); ++id)
    ids_.emplace(tokens_[id], static_cast<int32_t>(id));
}

void PairMerger::add_word(const std::string& bytes, int64_t count) {
  std::vector<int32_t> ids;
  for (const char byte : bytes) ids.push_back(ids_.at(std::string(1, byte)));
  words_.push_back(std::move(ids));
  word_counts_.push_back(count);
}

void PairMerger::count_pairs() {
  Places places;
  for (uint32_t word = 0; word < words_.size(); ++word) {
    const std::vector<int32_t>& ids = words_[word];
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const uint64_t pair = pair_of(ids[i], ids[i + 1]);
      change(pair, word_counts_[word]);
      add_place(places[pair], word);
    }
  }
  push(places);
}

void PairMerger::push(Places& places) {
  for (auto& [pair, words] : places)
    if (const int64_t count = counts_[pair]; count > 0)
      queue_.push({count, pair, std::move(words)});
}

// The counts of what stands beside the pair change; that of the pair itself is left, as the library
// leaves it: it counts again only if the same token comes from another pair.
void PairMerger::merge(uint32_t word, uint64_t pair, int32_t merged, Places& places) {
  std::vector<int32_t>& ids = words_[word];
  const int64_t count = word_counts_[word];
  const int32_t left = left_of(pair), right = right_of(pair);
  size_t kept = 0;  // ids before it are as they will be
  const auto appears = [&](int32_t a, int32_t b) {
    change(pair_of(a, b), count);
    add_place(places[pair_of(a, b)], word);
  };
  for (size_t i = 0; i < ids.size(); ++kept) {
    if (ids[i] != left || i + 1 >= ids.size() || ids[i + 1] != right) {
      ids[kept] = ids[i++];
      continue;
    }
    if (kept > 0) {
      change(pair_of(ids[kept - 1], left), -count);
      appears(ids[kept - 1], merged);
    }
    if (i + 2 < ids.size()) {
      change(pair_of(right, ids[i + 2]), -count);
      appears(merged, ids[i + 2]);
    }
    ids[kept] = merged;
    i += 2;
  }
  ids.resize(kept);
}

bool PairMerger::learn(int64_t vocabulary) {
  count_pairs();
  while (static_cast<int64_t>(tokens_.size()) < vocabulary) {
    if (queue_.empty()) return false;
    Candidate best = queue_.top();
    queue_.pop();
    if (const int64_t now = counts_[best.pair]; now != best.count) {
      best.count = now;
      queue_.push(std::move(best));
      continue;
    }
    if (best.count < 1) return false;
    const std::string text = tokens_[static_cast<size_t>(left_of(best.pair))] +
                             tokens_[static_cast<size_t>(right_of(best.pair))];
    const auto [found, is_new] = ids_.try_emplace(text, static_cast<int32_t>(tokens_.size()));
    if (is_new) tokens_.push_back(text);
    merges_.push_back(best.pair);
    Places places;
    for (const uint32_t word : best.words) merge(word, best.pair, found->second, places);
    push(places);
  }
  return true;
}

std::vector<std::pair<std::string, std::string>> PairMerger::merges() const {
  std::vector<std::pair<std::string, std::string>> reversed;
  std::unordered_set<uint64_t> seen;
  for (auto pair = merges_.rbegin(); pair != merges_.rend(); ++pair) {
    if (!seen.insert(*pair).second) continue;
    reversed.emplace_back(tokens_[static_cast<size_t>(left_of(*pair))],
                          tokens_[static_cast<size_t>(right_of(*pair))]);
  }
  return {reversed.rbegin(), reversed.rend()};
}

}  // namespace muonlab::data
