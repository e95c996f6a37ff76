// The merges of byte-pair encoding, learned from counted words as the tokenizers library learns
// them.
#pragma once

#include <cstdint>
#include <map>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace muonlab::data {

class PairMerger {
 public:
  // `tokens`: those that exist before any merge, by id, among them the 256 bytes.
  explicit PairMerger(std::vector<std::string> tokens);

  void add_word(const std::string& bytes, int64_t count);
  // Merges the most frequent pair, of equals the one of the lowest ids, until there are
  // `vocabulary` tokens. False where the words give no more.
  bool learn(int64_t vocabulary);

  const std::vector<std::string>& tokens() const { return tokens_; }
  // Each pair once; one that was merged again, at its last place.
  std::vector<std::pair<std::string, std::string>> merges() const;

 private:
  struct PairHash {
    size_t operator()(uint64_t pair) const { return (pair * 0x9E3779B97F4A7C15u) >> 13; }
  };
  struct Candidate {
    int64_t count;
    uint64_t pair;
    std::vector<uint32_t> words;  // that held the pair when the candidate was made
    bool operator<(const Candidate& other) const {  // the top of a priority_queue is the largest
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };
  using Places = std::unordered_map<uint64_t, std::vector<uint32_t>, PairHash>;

  void count_pairs();
  void push(Places& places);
  void merge(uint32_t word, uint64_t pair, int32_t merged, Places& places);
  void change(uint64_t pair, int64_t by) { counts_[pair] += by; }

  std::vector<std::string> tokens_;
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<std::vector<int32_t>> words_;
  std::vector<int64_t> word_counts_;
  std::unordered_map<uint64_t, int64_t, PairHash> counts_;
  std::priority_queue<Candidate> queue_;
  std::vector<uint64_t> merges_;
};

}  // namespace muonlab::data
