#include "study/ablation/verdict.hpp"

#include <gtest/gtest.h>

namespace muonlab::study {
namespace {

// Three seeds around each gain over an Adam of 4.1, with a spread of `noise` that no other row
// shares.
Ablation with_gains(const std::vector<std::pair<const char*, double>>& gains,
                    double noise = 0.0005) {
  Ablation ablation{.title = "",
                    .rows = {{"none (Adam)", "none (Adam)", {{1, 4.10}, {2, 4.11}, {3, 4.12}}}},
                    .baseline = "none (Adam)",
                    .reference = "all"};
  int row = 0;
  for (const auto& [label, gain] : gains) {
    AblationRow& added = ablation.rows.emplace_back(AblationRow{label, label});
    ++row;
    for (int seed = 1; seed <= 3; ++seed) {
      added.losses[seed] = 4.09 + 0.01 * seed - gain + noise * ((seed + row) % 3 - 1);
    }
  }
  return ablation;
}

std::vector<std::string> verdict(const Ablation& ablation) {
  return answer_ablation(ablation).verdict;
}

using Sentences = std::vector<std::string>;

TEST(AblationVerdict, NamesWhoBringsTheGainAndWhoDoesNot) {
  EXPECT_EQ(verdict(with_gains({{"all", 0.050}, {"V O FFN", 0.048}, {"Q K", 0.0002}})),
            (Sentences{"Muon's gain is significant (p = 3e-5).",
                       "V, O and the feed-forward matrices bring 96 % [92, 100] of Muon's gain; Q "
                       "and K bring none that can be told from noise."}));
}

TEST(AblationVerdict, SmallButCertainSharesHaveAFigure) {
  EXPECT_EQ(
      verdict(with_gains({{"all", 0.050}, {"FFN", 0.030}, {"V", 0.010}}))[1],
      "The feed-forward matrices bring 60 % [57, 64] of Muon's gain; V brings 20 % [17, 23].");
  EXPECT_EQ(
      verdict(with_gains({{"all", 0.050}, {"FFN", 0.030}, {"Q K", -0.010}}))[1],
      "The feed-forward matrices bring 60 % [57, 64] of Muon's gain; Q and K do worse than Adam by "
      "0.0100 [0.0088, 0.0112].");
  EXPECT_EQ(verdict(with_gains({{"all", 0.050}, {"rate 0.01", 0.030}}))[1],
            "Rate 0.01 brings 60 % [57, 64] of Muon's gain.");
}

TEST(AblationVerdict, SeveralRowsOfNoiseAreListed) {
  EXPECT_EQ(
      verdict(with_gains({{"all", 0.050}, {"FFN", 0.030}, {"Q K", 0.0001}, {"V", -0.0002}}))[1],
      "The feed-forward matrices bring 60 % [57, 64] of Muon's gain; what these bring cannot be "
      "told from "
      "noise: Q K; V.");
}

// A row of a large mean and few agreeing seeds does not hide one that is certain.
TEST(AblationVerdict, ANoisyRowInFrontHidesNobody) {
  Ablation ablation = with_gains({{"all", 0.050}, {"V O FFN", 0.048}, {"Q K", 0.060}});
  ablation.rows.back().losses = {{1, 3.9}, {2, 4.1}, {3, 4.15}};
  EXPECT_EQ(verdict(ablation)[1],
            "V, O and the feed-forward matrices bring 96 % [92, 100] of Muon's gain; Q and K bring "
            "none that can be told from noise.");
}

TEST(AblationVerdict, RowsThatAreCertainlyWorseAreNamed) {
  EXPECT_EQ(verdict(with_gains({{"all", 0.050}, {"V O FFN", -0.03}, {"Q K", -0.05}}))[1],
            "Worse than Adam are V O FFN and Q K.");
  EXPECT_EQ(
      verdict(with_gains(
          {{"all", 0.050}, {"FFN", 0.030}, {"V", 0.0001}, {"V O", -0.03}, {"Q K", -0.05}}))[1],
      "The feed-forward matrices bring 60 % [57, 64] of Muon's gain; worse than Adam are V O "
      "and Q K; V brings none that can be told from noise.");
  EXPECT_EQ(verdict(with_gains({{"all", 0.050}, {"V", 0.0001}}))[1],
            "No other row's gain can be told from noise.");
}

TEST(AblationVerdict, AGainWithinTheNoiseIsNotShared) {
  const Sentences sentences =
      verdict(with_gains({{"all", 0.0004}, {"V O + FFN", 0.020}, {"Q K", 0.0001}}));
  ASSERT_EQ(sentences.size(), 3u);
  EXPECT_TRUE(sentences[0].starts_with("Muon's gain cannot be told from noise (p = 0."))
      << sentences[0];
  EXPECT_TRUE(sentences[2].starts_with("V, O and the feed-forward matrices gain 0.0200 [0.01"))
      << sentences[2];
  EXPECT_EQ(sentences[1], "Shares of Muon's gain are undefined.");
}

TEST(AblationVerdict, ALossIsCalledOne) {
  const Sentences sentences = verdict(with_gains({{"all", -0.020}, {"Q K", 0.0001}}));
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_TRUE(sentences[0].starts_with("Muon does worse than Adam by 0.0200 [0.01"))
      << sentences[0];
}

TEST(AblationVerdict, TwoSeedsSayHowLargeAGainIsThatMayBeNoise) {
  Ablation ablation = with_gains({{"all", 0.050}, {"V O FFN", 0.060}, {"Q K", -0.010}}, 0.04);
  for (AblationRow& row : ablation.rows) row.losses.erase(3);
  const Sentences sentences = verdict(ablation);
  ASSERT_EQ(sentences.size(), 2u);
  EXPECT_TRUE(
      sentences[0].starts_with("Muon's gain cannot be told from noise on two seeds (p = 0."))
      << sentences[0];
  EXPECT_NE(sentences[0].find("): it is 0.0"), std::string::npos) << sentences[0];
  EXPECT_NE(sentences[0].find(" [-"), std::string::npos) << sentences[0];
  EXPECT_EQ(sentences[1], "Shares of Muon's gain are undefined.");
}

TEST(AblationVerdict, OneSeedSaysSo) {
  Ablation ablation = with_gains({{"all", 0.050}, {"V O FFN", 0.045}, {"Q K", 0.005}}, 0.0);
  for (AblationRow& row : ablation.rows) row.losses = {{1, row.losses.at(1)}};
  EXPECT_EQ(
      verdict(ablation),
      (Sentences{"Muon gains 0.0500 over Adam on one seed, which cannot tell that from noise.",
                 "Shares of Muon's gain are undefined."}));
}

TEST(AblationVerdict, WithoutSeedsThereIsNoAnswer) {
  Ablation ablation = with_gains({{"all", 0.050}});
  ablation.rows[0].losses.clear();
  EXPECT_EQ(verdict(ablation),
            Sentences{"No seed has both ends of the comparison yet, so Muon's gain is unknown."});
}

TEST(AblationVerdict, Figures) {
  EXPECT_EQ(p_text(2.2e-6), "p = 2e-6");
  EXPECT_EQ(p_text(3e-12), "p = 3e-12");
  EXPECT_EQ(p_text(0.0312), "p = 0.031");
  EXPECT_EQ(p_text(0.7), "p = 0.7");
  EXPECT_EQ(p_text(0.0), "p < 1e-15");
  EXPECT_EQ(percent_text(-0.001), "0 %");
  EXPECT_EQ(percent_text(0.956), "96 %");
  EXPECT_EQ(percent_text(-0.12), "-12 %");
}

}  // namespace
}  // namespace muonlab::study
