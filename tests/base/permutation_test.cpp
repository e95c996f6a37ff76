#include "muonlab/base/permutation.hpp"

#include <cmath>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"

namespace muonlab::base {
namespace {

TEST(Permutation, IsOneForEverySmallSize) {
  for (uint64_t n = 1; n <= 600; ++n) {
    std::vector<bool> seen(n);
    for (uint64_t i = 0; i < n; ++i) {
      const uint64_t image = permute(i, n, permutation_key(1, n));
      ASSERT_LT(image, n);
      ASSERT_FALSE(seen[image]) << n;
      seen[image] = true;
    }
  }
}

TEST(Permutation, IsOneForLargerSizes) {
  for (const uint64_t n : {4095u, 4096u, 4097u, 65537u, 300001u}) {
    std::vector<bool> seen(n);
    for (uint64_t i = 0; i < n; ++i) {
      const uint64_t image = permute(i, n, 42);
      ASSERT_LT(image, n);
      ASSERT_FALSE(seen[image]);
      seen[image] = true;
    }
  }
}

TEST(Permutation, HugeSizesStayInRangeAndApart) {
  for (const uint64_t n : {(uint64_t{1} << 40) + 1, uint64_t{1} << 63, ~uint64_t{0}}) {
    std::set<uint64_t> images;
    for (uint64_t i = 0; i < 2000; ++i) {
      images.insert(permute(i, n, 7));
      images.insert(permute(n - 1 - i, n, 7));
    }
    EXPECT_EQ(images.size(), 4000u);
    EXPECT_LT(*images.rbegin(), n);
  }
}

TEST(Permutation, RefusesAnIndexBeyondTheEnd) {
  EXPECT_THROW(permute(5, 5, 1), Bug);
  EXPECT_THROW(permute(0, 0, 1), Bug);
}

// All 120 orders of five come about equally often over keys, so no position or neighbour is
// favoured.
TEST(Permutation, EveryOrderIsAboutAsLikely) {
  std::map<std::vector<uint64_t>, int> orders;
  constexpr int kKeys = 120 * 200;
  for (int key = 0; key < kKeys; ++key) {
    std::vector<uint64_t> order;
    for (uint64_t i = 0; i < 5; ++i) order.push_back(permute(i, 5, permutation_key(9, key)));
    ++orders[order];
  }
  ASSERT_EQ(orders.size(), 120u);
  double chi_squared = 0.0;
  for (const auto& [order, count] : orders) chi_squared += std::pow(count - 200.0, 2) / 200.0;
  EXPECT_LT(chi_squared, 190.0);  // 119 degrees of freedom: mean 119, 99.99 % quantile about 184
}

TEST(Permutation, LooksShuffledWithinAnEpochAndBetweenEpochs) {
  constexpr uint64_t kCount = 48301;
  double correlation = 0.0;
  int fixed = 0, equal = 0, close = 0;
  for (uint64_t i = 0; i < kCount; ++i) {
    const uint64_t a = permute(i, kCount, permutation_key(1, 0));
    const uint64_t b = permute(i, kCount, permutation_key(1, 1));
    const uint64_t next = permute((i + 1) % kCount, kCount, permutation_key(1, 0));
    correlation +=
        (static_cast<double>(i) / kCount - 0.5) * (static_cast<double>(a) / kCount - 0.5);
    fixed += a == i;
    equal += a == b;
    close += next > a && next - a < 10;
  }
  EXPECT_NEAR(correlation / kCount * 12.0, 0.0, 0.02);
  EXPECT_LT(fixed, 9);  // Poisson with mean 1
  EXPECT_LT(equal, 9);
  EXPECT_NEAR(close, 9, 12);
}

TEST(Permutation, KeysComeFromSeedAndEpoch) {
  std::set<uint64_t> keys;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    for (uint64_t epoch = 0; epoch < 50; ++epoch) keys.insert(permutation_key(seed, epoch));
  }
  EXPECT_EQ(keys.size(), 2500u);
}

// A sample order is part of a run's meaning: it may never change between versions.
TEST(Permutation, ValuesAreFixed) {
  std::vector<uint64_t> images;
  for (uint64_t i = 0; i < 8; ++i) images.push_back(permute(i, 1000, permutation_key(1, 0)));
  EXPECT_EQ(images, (std::vector<uint64_t>{86, 678, 136, 293, 307, 46, 47, 70}));
}

}  // namespace
}  // namespace muonlab::base
