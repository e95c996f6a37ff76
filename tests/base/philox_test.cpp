#include "muonlab/base/philox.hpp"

#include <bit>
#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace muonlab::base {
namespace {

// From the known-answer file of the Random123 library (philox4x32, 10 rounds).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, SeedPurposeAndStreamAllMatter) {
  std::set<Block> seen;
  for (uint64_t seed : {0ull, 1ull, 1ull << 32, ~0ull}) {
    for (const Purpose purpose : {Purpose::init, Purpose::order, Purpose::corpus}) {
      for (uint64_t stream : {0ull, 1ull, 1ull << 32}) {
        for (uint64_t index : {0ull, 1ull, 1ull << 32}) {
          seen.insert(Philox(seed, purpose, stream).bits(index));
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), 4u * 3 * 3 * 3);
  EXPECT_NE(Philox(1, Purpose::init, "a").bits(0), Philox(1, Purpose::init, "b").bits(0));
  EXPECT_EQ(Philox(1, Purpose::init, "a").bits(7), Philox(1, Purpose::init, "a").bits(7));
}

TEST(Philox, UniformIsUniform) {
  const Philox random(3, Purpose::test);
  constexpr int kCount = 100000, kBins = 100;
  std::vector<int> bins(kBins);
  for (int i = 0; i < kCount; ++i) {
    const double u = random.uniform(static_cast<uint64_t>(i));
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    ++bins[static_cast<size_t>(u * kBins)];
  }
  double chi_squared = 0.0;
  for (const int count : bins)
    chi_squared += std::pow(count - kCount / kBins, 2) / (kCount / kBins);
  EXPECT_LT(chi_squared, 148.2);  // 99.9 % quantile at 99 degrees of freedom
  EXPECT_GT(chi_squared, 57.0);   // 0.02 % quantile: too even is no chance either
}

TEST(Philox, BelowCoversItsRange) {
  const Philox random(4, Purpose::test);
  std::vector<int> bins(7);
  for (uint64_t i = 0; i < 70000; ++i) ++bins.at(random.below(i, 7));
  for (const int count : bins) EXPECT_NEAR(count, 10000, 400);
  EXPECT_EQ(random.below(5, 1), 0u);
}

TEST(Philox, NormalHasItsMomentsAndTails) {
  const Philox random(5, Purpose::test);
  constexpr int kCount = 400000;
  double sum = 0, squares = 0, fourth = 0, neighbours = 0, before = 0;
  int beyond2 = 0, beyond3 = 0;
  for (int i = 0; i < kCount; ++i) {
    const double z = random.normal(static_cast<uint64_t>(i));
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
    neighbours += z * before;
    before = z;
    beyond2 += std::abs(z) > 2.0;
    beyond3 += std::abs(z) > 3.0;
  }
  EXPECT_NEAR(sum / kCount, 0.0, 0.006);
  EXPECT_NEAR(squares / kCount, 1.0, 0.009);
  EXPECT_NEAR(fourth / kCount, 3.0, 0.06);
  EXPECT_NEAR(neighbours / kCount, 0.0, 0.006);
  EXPECT_NEAR(static_cast<double>(beyond2) / kCount, 0.0455, 0.0015);
  EXPECT_NEAR(static_cast<double>(beyond3) / kCount, 0.0027, 0.0004);
}

// Our logarithm, sine and cosine against the C library's, through the whole formula.
TEST(Philox, NormalIsBoxMuller) {
  const Philox random(6, Purpose::test);
  for (uint64_t pair = 0; pair < 20000; ++pair) {
    const Block b = random.bits(pair);
    const double u =
        1.0 - std::ldexp(static_cast<double>((uint64_t{b[0]} << 32 | b[1]) >> 11), -53);
    const double v = std::ldexp(static_cast<double>((uint64_t{b[2]} << 32 | b[3]) >> 11), -53);
    const double radius = std::sqrt(-2.0 * std::log(u));
    const double angle = 2.0 * M_PI * v;
    ASSERT_NEAR(random.normal(2 * pair), radius * std::cos(angle), 4e-15);
    ASSERT_NEAR(random.normal(2 * pair + 1), radius * std::sin(angle), 4e-15);
  }
}

// The same bits on every machine and with every compiler: initial weights depend on it.
TEST(Philox, NormalBitsAreFixed) {
  const Philox random(1, Purpose::init, "model.embed_tokens.weight");
  Block mixed{};
  for (uint64_t i = 0; i < 10000; ++i) {
    const auto word = std::bit_cast<uint64_t>(random.normal(i));
    mixed = philox4x32({mixed[0] ^ static_cast<uint32_t>(word),
                        mixed[1] ^ static_cast<uint32_t>(word >> 32), mixed[2], mixed[3]},
                       {1, 2});
  }
  EXPECT_EQ(mixed, (Block{2212572222, 924468273, 2843348776, 3487934368}));
}

TEST(Philox, FillingIsTheSameFromAnyStart) {
  const Philox random(7, Purpose::test);
  std::vector<float> whole(101), part(50);
  random.fill_normal(whole, 0, 0.5, 0.02);
  for (uint64_t first : {0u, 1u, 2u, 51u}) {
    random.fill_normal(part, first, 0.5, 0.02);
    for (size_t i = 0; i < part.size(); ++i) {
      EXPECT_EQ(part[i], whole[first + i]);
      EXPECT_EQ(part[i], static_cast<float>(0.5 + 0.02 * random.normal(first + i)));
    }
  }
}

}  // namespace
}  // namespace muonlab::base
