#include "muonlab/record/loss_doubt.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace muonlab::record {
namespace {

constexpr int64_t kVocabulary = 257;  // ln is 5.549

TEST(LossDoubt, AFiniteLossThatSaysNothingIsNamed) {
  EXPECT_EQ(doubt_of(149377, kVocabulary), LossDoubt::exploded);
  EXPECT_EQ(doubt_of(5.5490760848952, kVocabulary), LossDoubt::uniform);  // ln 257
  EXPECT_EQ(doubt_of(5.549076, kVocabulary), LossDoubt::uniform);         // the same in fp32
  EXPECT_EQ(doubt_of(5.6, kVocabulary, 5.53), LossDoubt::unlearned);
}

TEST(LossDoubt, ARunThatLearnsOrHasNotYetBegunToHasNone) {
  EXPECT_EQ(doubt_of(5.55, kVocabulary), LossDoubt::none);  // hardly trained
  EXPECT_EQ(doubt_of(5.58, kVocabulary, 5.58), LossDoubt::none);
  EXPECT_EQ(doubt_of(3.2, kVocabulary, 3.0), LossDoubt::none);
  EXPECT_EQ(doubt_of(149377, 0), LossDoubt::none);  // nothing to compare with
}

TEST(LossDoubt, TheWarningNamesBothLossesAndTheRemedy) {
  const std::string exploded = loss_warning(149377.0, kVocabulary, 5.53);
  EXPECT_NE(exploded.find("149377.0000 is above 5.5491"), std::string::npos) << exploded;
  EXPECT_NE(exploded.find("train.clip"), std::string::npos) << exploded;
  const std::string uniform = loss_warning(std::log(257.0), kVocabulary, 5.0);
  EXPECT_NE(uniform.find("equals 5.5491"), std::string::npos) << uniform;
  EXPECT_EQ(loss_warning(4.1, kVocabulary, 4.0), "");
}

}  // namespace
}  // namespace muonlab::record
