// Token sequences of a small grammar whose words have Zipf frequencies: a chain of word classes,
// and in each class words with probability proportional to rank^-exponent, bent by the sequence's
// topic.
#pragma once

#include <cstdint>
#include <vector>

#include "muonlab/train/batch.hpp"

namespace muonlab::theory {

class ZipfText {
 public:
  // `vocabulary` must be a multiple of `classes`.
  ZipfText(int64_t vocabulary, int64_t classes, int64_t topics, double exponent, int64_t seed);

  // Sequences first … first + count - 1; each is a function of the seed and its number.
  train::Batch batch(int64_t first, int64_t count, int64_t context) const;

 private:
  void write(int64_t index, int64_t length, int64_t* to) const;

  int64_t classes_, topics_, words_;  // words of a class
  int64_t seed_;
  // cumulative probabilities: of the next class [class][class], of a word [topic][class][word]
  std::vector<std::vector<double>> next_class_, word_;
};

}  // namespace muonlab::theory
