#include "muonlab/theory/curvature.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "theory/mode_quadratic.hpp"
#include "theory/zipf_text.hpp"

namespace muonlab::theory {
namespace {

// The closed forms of arXiv 2606.04662 for 20 modes, 2 of them sharp.
TEST(ModeQuadratic, HasTheClosedFormsOfThePaper) {
  const ModeQuadratic quadratic = ModeQuadratic::two_kinds(20, 2, 20, 1, 3, 1);
  const ModePath muon = descend(quadratic, ModeRule::muon, 4);
  const ModePath gd = descend(quadratic, ModeRule::gradient_descent, 4);
  for (const double nds : muon.nds) EXPECT_NEAR(nds, 2.9, 1e-12);
  for (const double nds : gd.nds) EXPECT_NEAR(nds, 10.5, 1e-10);
  EXPECT_NEAR(muon.gap[1], 4.48448, 5e-6);
  EXPECT_NEAR(muon.gap[2], 0.645211, 5e-7);
  EXPECT_NEAR(muon.gap[3], 0.0928306, 5e-8);
  EXPECT_NEAR(muon.gap[2] / muon.gap[1], std::pow(22.0 / 58.0, 2), 1e-12) << "Gamma squared";
  EXPECT_NEAR(gd.gap[1], 7.73571, 5e-6);
  EXPECT_NEAR(gd.gap[2], 6.33241, 5e-6);
  EXPECT_NEAR(gd.gap[3], 5.18367, 5e-6);
}

TEST(ModeQuadratic, EndsAtTheMinimum) {
  // Equal curvatures: one exact line search along the gradient reaches it.
  const ModeQuadratic quadratic = ModeQuadratic::two_kinds(8, 2, 1, 1, 3, 1);
  const ModePath gd = descend(quadratic, ModeRule::gradient_descent, 5);
  EXPECT_NEAR(gd.gap[1], 0, 1e-28);
}

std::vector<double> word_shares(double exponent) {
  constexpr int64_t kVocabulary = 24, kClasses = 2;
  const ZipfText text(kVocabulary, kClasses, 1, exponent, 5);
  const train::Batch batch = text.batch(0, 400, 50);
  const at::Tensor counts = at::bincount(batch.tokens_bt.flatten(), {}, kVocabulary);
  std::vector<double> shares;
  for (int64_t word = 0; word < kVocabulary / kClasses; ++word) {
    shares.push_back(counts[word].item<double>() /
                     counts.narrow(0, 0, kVocabulary / kClasses).sum().item<double>());
  }
  return shares;
}

TEST(ZipfText, FrequenciesFallWithTheExponent) {
  const std::vector<double> even = word_shares(0), zipf = word_shares(1);
  for (const size_t word : {1, 5, 11}) {
    const double rank = static_cast<double>(word + 1);
    EXPECT_NEAR(zipf[word] / zipf[0], even[word] / even[0] / rank,
                0.25 * even[word] / even[0] / rank)
        << "the same words, bent by rank^-1";
  }
}

TEST(ZipfText, ASequenceIsAFunctionOfItsNumber) {
  const ZipfText text(24, 4, 3, 1, 5);
  const train::Batch many = text.batch(0, 6, 10), one = text.batch(4, 1, 10);
  EXPECT_TRUE(at::equal(many.tokens_bt[4], one.tokens_bt[0]));
  EXPECT_TRUE(at::equal(many.tokens_bt[4].narrow(0, 1, 9), many.targets_bt[4].narrow(0, 0, 9)));
  EXPECT_FALSE(at::equal(many.tokens_bt[4], many.tokens_bt[5]));
}

TEST(Curvature, ASmallRunHasEveryClaim) {
  CurvatureConfig config;
  config.draws = 20;
  config.many_seeds = 1;
  config.zipf = {1};
  config.text_seeds = 1;
  config.steps = 21;
  config.every = 10;
  Context context;
  Result result;
  run(config, context, result);
  for (const Section& section : result.sections) EXPECT_NO_THROW(page::xy_plots(section.plots));
  EXPECT_EQ(result.claims.size(), 12u);
  for (size_t i = 0; i < 5; ++i)
    EXPECT_TRUE(result.claims[i].holds()) << result.claims[i].statement;
  for (const Claim& claim : result.claims)
    EXPECT_FALSE(std::isnan(claim.measured)) << claim.statement;
}

}  // namespace
}  // namespace muonlab::theory
