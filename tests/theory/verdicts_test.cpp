// Verdicts where settings leave little or nothing to measure.
#include <cmath>

#include <gtest/gtest.h>

#include "muonlab/theory/curvature.hpp"
#include "muonlab/theory/memory.hpp"
#include "theory/capacity_parts.hpp"
#include "theory/saddle_parts.hpp"

namespace muonlab::theory {
namespace {

template <class Config>
Result result_of(const Config& config) {
  Context context;
  Result result;
  run(config, context, result);
  return result;
}

const Claim& claim_with(const Result& result, const std::string& words) {
  for (const Claim& claim : result.claims) {
    if (claim.statement.find(words) != std::string::npos) return claim;
  }
  throw std::runtime_error("no claim says \"" + words + "\"");
}

TEST(TheoryVerdicts, ASaddleThatNobodyLeavesShowsNothing) {
  const SaddleConfig config;
  EscapeCurves curves;
  for (const bool gap : {true, false}) {
    for (const EscapeRule rule : {EscapeRule::sign, EscapeRule::muon}) {
      for (const StepLength length : {StepLength::equal_rms, StepLength::entry}) {
        for (const int64_t n : {16, 32}) curves[{gap, length, rule}][n] = std::nan("");
      }
    }
  }
  Result result;
  escape_claims(config, curves, result);
  for (const Claim& claim : result.claims) {
    EXPECT_TRUE(std::isnan(claim.measured)) << claim.statement;
    EXPECT_FALSE(claim.holds()) << claim.statement;
  }
}

MemoryConfig small_memory() {
  MemoryConfig config;
  config.facts = 30;
  config.head_facts = 6;
  config.sweep_points = 5;
  config.gd_steps = 20;
  config.sign_steps = 20;
  config.muon_steps = 12;
  return config;
}

TEST(TheoryVerdicts, CurvesThatWereNotComparedDoNotCoincide) {
  MemoryConfig config = small_memory();
  config.losses = {50};
  const Claim& claim = claim_with(result_of(config), "curves of GD coincide");
  EXPECT_TRUE(std::isnan(claim.measured));
  EXPECT_FALSE(claim.holds());
  EXPECT_TRUE(claim_with(result_of(small_memory()), "curves of GD coincide").holds());
}

TEST(TheoryVerdicts, OneEmbeddingIsNotCalledBoth) {
  MemoryConfig config = small_memory();
  config.embeddings = {"decoupled"};
  for (const Claim& claim : result_of(config).claims) {
    EXPECT_EQ(claim.statement.find("both embeddings"), std::string::npos) << claim.statement;
    EXPECT_EQ(claim.statement.find("coupled SignGD"), std::string::npos) << claim.statement;
  }
}

TEST(TheoryVerdicts, TheFormOfMuonsWeightsIsCheckedAtEveryStepOfAPathOfMatrices) {
  MemoryConfig config = small_memory();
  config.muon_checks = 1;
  const Result result = result_of(config);
  const Claim& form = claim_with(result, "keep the form");
  EXPECT_TRUE(form.holds());
  EXPECT_NE(form.note.find("at K = 30 at every one of 12 steps of matrices"), std::string::npos)
      << form.note;
  EXPECT_NE(form.note.find("at K = 30 at 2 single steps"), std::string::npos) << form.note;
  EXPECT_TRUE(claim_with(result, "gives the paths that matrices give").holds());
}

// Muon then reaches the minimum in two steps, and the law's value is 0.
TEST(TheoryVerdicts, AQuadraticThatMuonSolvesHasItsClosedForm) {
  CurvatureConfig config;
  config.sharp_curvature = 9;
  config.zipf = {};
  config.many_seeds = 1;
  config.draws = 5;
  for (const Claim& claim : result_of(config).claims) EXPECT_TRUE(claim.holds()) << claim.statement;
}

TEST(TheoryVerdicts, BatchesGrowWithAlphaAsTheSettingsCheckSupposes) {
  EXPECT_NEAR(capacity::largest_batch(1.5, 16), 32 * 256, 1e-9);
}

}  // namespace
}  // namespace muonlab::theory
