#include "zipf_text.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/philox.hpp"

namespace muonlab::theory {
namespace {

// weight(i) for i < n, as cumulative shares.
template <class Weight>
std::vector<double> cumulative(int64_t n, Weight&& weight) {
  std::vector<double> sums;
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sums.push_back(sum += weight(i));
  for (double& value : sums) value /= sum;
  return sums;
}

int64_t drawn(const std::vector<double>& sums, double u) {
  const auto at = std::lower_bound(sums.begin(), sums.end(), u);
  return std::min<int64_t>(at - sums.begin(), std::ssize(sums) - 1);
}

}  // namespace

ZipfText::ZipfText(int64_t vocabulary, int64_t classes, int64_t topics, double exponent,
                   int64_t seed)
    : classes_(classes), topics_(topics), words_(vocabulary / classes), seed_(seed) {
  base::check(vocabulary % classes == 0, "classes of equal size");
  const auto random = [&](const char* stream) {
    return base::Philox(static_cast<uint64_t>(seed), base::Purpose::theory, stream);
  };
  const base::Philox grammar = random("grammar"), topic_words = random("topics");
  for (int64_t c = 0; c < classes; ++c) {
    next_class_.push_back(cumulative(classes, [&](int64_t next) {
      return std::exp(2 * grammar.normal(static_cast<uint64_t>(c * classes + next)));
    }));
  }
  for (int64_t row = 0; row < topics * classes; ++row) {
    word_.push_back(cumulative(words_, [&](int64_t word) {
      const double bend = topic_words.normal(static_cast<uint64_t>(row * words_ + word));
      return std::exp(bend) * std::pow(static_cast<double>(word + 1), -exponent);
    }));
  }
}

void ZipfText::write(int64_t index, int64_t length, int64_t* to) const {
  const base::Philox random(static_cast<uint64_t>(seed_), base::Purpose::theory, "text");
  auto at = static_cast<uint64_t>(index) * static_cast<uint64_t>(2 * length + 2);
  const auto below = [&](int64_t n) {
    return std::min(n - 1, static_cast<int64_t>(random.uniform(at++) * static_cast<double>(n)));
  };
  const int64_t topic = below(topics_);
  int64_t word_class = below(classes_);
  for (int64_t i = 0; i < length; ++i) {
    const auto& words = word_[static_cast<size_t>(topic * classes_ + word_class)];
    to[i] = word_class * words_ + drawn(words, random.uniform(at++));
    word_class = drawn(next_class_[static_cast<size_t>(word_class)], random.uniform(at++));
  }
}

train::Batch ZipfText::batch(int64_t first, int64_t count, int64_t context) const {
  const at::Tensor ids = at::empty({count, context + 1}, at::kLong);
  for (int64_t i = 0; i < count; ++i)
    write(first + i, context + 1, ids.mutable_data_ptr<int64_t>() + i * (context + 1));
  return {ids.narrow(1, 0, context).contiguous(), ids.narrow(1, 1, context).contiguous()};
}

}  // namespace muonlab::theory
