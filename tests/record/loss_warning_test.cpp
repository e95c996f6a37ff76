#include "muonlab/record/loss_warning.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace muonlab::record {
namespace {

constexpr int64_t kVocabulary = 257;  // ln is 5.549

TEST(LossWarning, ALossThatExplodedIsNamed) {
  const std::string text = loss_warning(149377.0, 5.53, kVocabulary);
  EXPECT_NE(text.find("149377.0000 is above 5.5491"), std::string::npos) << text;
  EXPECT_NE(loss_warning(5.6, 5.53, kVocabulary), "") << "worse than before, and than guessing";
  EXPECT_NE(loss_warning(7.0, 7.0, kVocabulary), "") << "its only validation";
}

TEST(LossWarning, ARunThatLearnsOrHasNotYetBegunToGetsNone) {
  EXPECT_EQ(loss_warning(4.1, 4.0, kVocabulary), "");
  EXPECT_EQ(loss_warning(5.58, 5.58, kVocabulary), "") << "two steps of a fresh model";
  EXPECT_EQ(loss_warning(std::log(257.0), 5.0, kVocabulary), "");
}

}  // namespace
}  // namespace muonlab::record
