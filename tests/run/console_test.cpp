#include "run/console.hpp"

#include <gtest/gtest.h>

namespace muonlab::run {
namespace {

TEST(Console, NeverShowsAShareAboveTheWhole) {
  EXPECT_EQ(peak_share_text(0.714), "71% of GEMM peak");
  EXPECT_EQ(peak_share_text(1.0), "100% of GEMM peak");
  EXPECT_EQ(peak_share_text(1.1), "100+% of GEMM peak");
}

}  // namespace
}  // namespace muonlab::run
