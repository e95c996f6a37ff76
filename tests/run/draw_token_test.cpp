// Which token is drawn: each setting against what it is said to do.
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "muonlab/run/generate.hpp"

namespace muonlab::run {
namespace {

// The share of draws of each id, over evenly spread uniform numbers.
std::map<int32_t, double> shares(const Sampling& sampling, const std::vector<float>& logits,
                                 const std::vector<int32_t>& seen = {}) {
  constexpr int kDraws = 1000;
  std::map<int32_t, double> shares;
  for (int i = 0; i < kDraws; ++i)
    shares[draw_token(logits, sampling, seen, (i + 0.5) / kDraws)] += 1.0 / kDraws;
  return shares;
}

// Probabilities 0.5, 0.25, 0.125, 0.125 at a temperature of 1.
const std::vector<float> kLogits{std::log(0.125f), std::log(0.5f), std::log(0.125f),
                                 std::log(0.25f)};

TEST(DrawToken, FollowsTheProbabilities) {
  const auto found = shares({.temperature = 1, .top_k = 0}, kLogits);
  EXPECT_NEAR(found.at(1), 0.5, 0.002);
  EXPECT_NEAR(found.at(3), 0.25, 0.002);
  EXPECT_NEAR(found.at(0), 0.125, 0.002);
  EXPECT_NEAR(found.at(2), 0.125, 0.002);
  const auto sharper = shares({.temperature = 0.5, .top_k = 0}, kLogits);
  EXPECT_NEAR(sharper.at(1), 0.25 / (0.25 + 0.0625 + 2 * 0.015625), 0.002);
}

TEST(DrawToken, TopKKeepsTheLikeliest) {
  const auto found = shares({.temperature = 1, .top_k = 2}, kLogits);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_NEAR(found.at(1), 2.0 / 3, 0.002);
  EXPECT_NEAR(found.at(3), 1.0 / 3, 0.002);
  // Of equally likely ids the smaller comes first.
  EXPECT_TRUE(shares({.temperature = 1, .top_k = 3}, kLogits).contains(0));
  EXPECT_FALSE(shares({.temperature = 1, .top_k = 3}, kLogits).contains(2));
}

TEST(DrawToken, TopPKeepsTheFewestThatReachIt) {
  EXPECT_EQ(shares({.temperature = 1, .top_k = 0, .top_p = 0.4}, kLogits).size(), 1u);
  EXPECT_EQ(shares({.temperature = 1, .top_k = 0, .top_p = 0.6}, kLogits).size(), 2u);
  EXPECT_EQ(shares({.temperature = 1, .top_k = 0, .top_p = 0.8}, kLogits).size(), 3u);
  EXPECT_EQ(shares({.temperature = 1, .top_k = 0, .top_p = 0.0}, kLogits).size(), 1u);
  // The share is one of what top_k leaves.
  EXPECT_EQ(shares({.temperature = 1, .top_k = 2, .top_p = 0.6}, kLogits).size(), 1u);
}

TEST(DrawToken, MinPLeavesOutTheUnlikely) {
  EXPECT_EQ(shares({.temperature = 1, .top_k = 0, .min_p = 0.3}, kLogits).size(), 2u);
  EXPECT_EQ(shares({.temperature = 1, .top_k = 0, .min_p = 0.2}, kLogits).size(), 4u);
  EXPECT_EQ(shares({.temperature = 1, .top_k = 0, .min_p = 1.0}, kLogits).size(), 1u);
}

TEST(DrawToken, RepetitionMakesLessLikely) {
  const Sampling greedy{.temperature = 0, .repetition_penalty = 2};
  const std::vector<float> logits{3, 2, -1, -1.5f};
  EXPECT_EQ(draw_token(logits, greedy, std::vector<int32_t>{}, 0), 0);
  EXPECT_EQ(draw_token(logits, greedy, std::vector<int32_t>{0, 0}, 0), 1);  // 3 / 2, once
  // Below zero the logit is multiplied; an id that is none changes nothing.
  const std::vector<float> below{-1, -1.5f};
  EXPECT_EQ(draw_token(below, greedy, std::vector<int32_t>{0, 7, -1}, 0), 1);
}

}  // namespace
}  // namespace muonlab::run
