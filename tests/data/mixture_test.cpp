#include "muonlab/data/mixture.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "muonlab/base/error.hpp"

namespace muonlab::data {
namespace {

// A corpus whose sample i is {name, i}.
class NumberedCorpus : public Corpus {
 public:
  NumberedCorpus(int32_t name, int64_t samples) : name_(name), samples_(samples) {}
  int64_t samples_per_epoch() const override { return samples_; }
  int64_t num_tokens() const override { return samples_ + 1; }
  void sample(int64_t index, std::span<int32_t> out) const override { window(index, out); }
  void window(int64_t index, std::span<int32_t> out) const override {
    out[0] = name_;
    out[1] = static_cast<int32_t>(index);
  }

 private:
  int32_t name_;
  int64_t samples_;
};

std::vector<std::shared_ptr<const Corpus>> corpora(size_t count) {
  std::vector<std::shared_ptr<const Corpus>> parts;
  for (size_t i = 0; i < count; ++i)
    parts.push_back(std::make_shared<NumberedCorpus>(static_cast<int32_t>(i), 100 + i));
  return parts;
}

std::pair<int32_t, int32_t> at(const Corpus& corpus, int64_t index) {
  std::array<int32_t, 2> out{};
  corpus.sample(index, out);
  return {out[0], out[1]};
}

TEST(Mixture, EveryPartIsReadInOrderAtItsShare) {
  const std::vector<std::vector<double>> mixtures{
      {1}, {3, 1}, {0.7, 0.2, 0.1}, {1, 1, 1, 1, 1}, {1e-3, 5, 0.25, 100, 7, 2, 1}};
  for (const std::vector<double>& weights : mixtures) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    const auto mixture = make_mixture(corpora(weights.size()), {{0, weights}});
    const double bound = std::ceil(std::log2(static_cast<double>(weights.size()))) + 1e-3;
    std::vector<int64_t> read(weights.size(), 0);
    for (int64_t i = 0; i < 5000; ++i) {
      const auto [part, index] = at(*mixture, i);
      ASSERT_EQ(index, read[static_cast<size_t>(part)]++) << "sample " << i;
      for (size_t p = 0; p < weights.size(); ++p) {
        const double due = static_cast<double>(i + 1) * weights[p] / sum;
        ASSERT_LE(std::abs(static_cast<double>(read[p]) - due), bound) << "sample " << i;
      }
    }
  }
}

TEST(Mixture, OtherWeightsContinueWhereEachPartIs) {
  const std::vector<MixtureStretch> stretches{
      {0, {3, 1, 1}}, {101, {1, 1, 5}}, {101, {1, 2, 1}}, {333, {0.1, 0.1, 9}}};
  const auto mixture = make_mixture(corpora(3), stretches);
  std::vector<int64_t> read(3, 0);
  std::vector<std::pair<int32_t, int32_t>> all;
  for (int64_t i = 0; i < 1000; ++i) {
    all.push_back(at(*mixture, i));
    ASSERT_EQ(all.back().second, read[static_cast<size_t>(all.back().first)]++) << "sample " << i;
  }
  // What came before a change of the weights stays as it was.
  const auto shorter = make_mixture(corpora(3), {stretches[0]});
  for (int64_t i = 0; i < 101; ++i) EXPECT_EQ(at(*shorter, i), all[static_cast<size_t>(i)]);
  EXPECT_GT(read[2], 600);
}

TEST(Mixture, FarPositionsAreFoundAtOnce) {
  const int64_t far = (int64_t{1} << 50) + 4 * 1234567;
  const auto mixture = make_mixture(corpora(2), {{0, {1, 3}}, {far, {3, 1}}});
  const auto [part, index] = at(*mixture, far);
  EXPECT_EQ(index, part == 0 ? 1234567 : 3 * 1234567);  // of 2^48 and 3 2^48 more, in 32 bits
}

TEST(Mixture, ItsEpochAndWindowsAreThoseOfItsParts) {
  const auto mixture = make_mixture(corpora(2), {{0, {1, 1}}});
  EXPECT_EQ(mixture->samples_per_epoch(), 100 + 101);
  std::array<int32_t, 2> out{};
  mixture->window(100, out);
  EXPECT_EQ(out, (std::array<int32_t, 2>{1, 0}));
  mixture->window(99, out);
  EXPECT_EQ(out, (std::array<int32_t, 2>{0, 99}));
  EXPECT_THROW(make_mixture(corpora(2), {{0, {1, 1, 1}}}), base::Error);
}

}  // namespace
}  // namespace muonlab::data
