#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "cuda/host_grid.hpp"

namespace muonlab::cuda {
namespace {

// All upper halves of a float with each kind of lower half: below, at and above the middle.
TEST(CudaNumber, Bf16RoundsAsLibTorchDoes) {
  int64_t different = 0;
  for (uint32_t upper = 0; upper < (1u << 16); ++upper) {
    for (const uint32_t lower : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const float value = float_of((upper << 16) | lower);
      Bf16 ours;
      narrow(value, ours);
      const c10::BFloat16 theirs(value);
      different += ours.bits != theirs.x;
      const float back = widen(ours);
      different += std::isnan(value) ? !std::isnan(back) : back != static_cast<float>(theirs);
    }
  }
  EXPECT_EQ(different, 0);
}

TEST(CudaTeam, LanesAreWholeWarpsWithinABlock) {
  EXPECT_EQ(lanes_for(1, 1), 32);
  EXPECT_EQ(lanes_for(32, 1), 32);
  EXPECT_EQ(lanes_for(33, 1), 64);
  EXPECT_EQ(lanes_for(33, 4), 32);
  EXPECT_EQ(lanes_for(384, 4), 96);
  EXPECT_EQ(lanes_for(1 << 20, 4), kMaxLanes);
}

TEST(CudaTeam, BlocksCoverTheWork) {
  EXPECT_EQ(blocks_for(1, 1024), 1);
  EXPECT_EQ(blocks_for(1024, 1024), 1);
  EXPECT_EQ(blocks_for(1025, 1024), 2);
  EXPECT_EQ(blocks_for(int64_t{1} << 40, 1), kMaxBlocks);
  EXPECT_EQ(blocks_for(10000, 1, kGainBlocks), kGainBlocks);
}

TEST(CudaTeam, SumsEveryLaneOnce) {
  for (const int lanes : {32, 64, 96, 256}) {
    const HostTeam team(lanes);
    for (int one = 0; one < lanes; ++one) {
      auto values = team.make_register();
      values[one] = 1.0f;
      EXPECT_EQ(team.sum(values), 1.0f) << "lane " << one << " of " << lanes;
    }
  }
}

// 2^24 swallows a one that it meets, so the sum tells who met whom.
TEST(CudaTeam, SumsInTheDocumentedOrder) {
  constexpr float kBig = 16777216.0f;
  const HostTeam team(128);
  const auto sum = [&team](int big, int minus_big, int one) {
    auto values = team.make_register();
    values[big] = kBig;
    values[minus_big] = -kBig;
    values[one] = 1.0f;
    return team.sum(values);
  };
  EXPECT_EQ(sum(0, 16, 1), 1.0f);   // lane 16 comes to lane 0 before lane 1's number does
  EXPECT_EQ(sum(0, 1, 2), 0.0f);    // lane 2 comes before lane 1
  EXPECT_EQ(sum(0, 64, 32), 0.0f);  // warps one after the other: warp 1 before warp 2
  EXPECT_EQ(sum(0, 32, 64), 1.0f);
}

TEST(CudaTeam, FindsTheLargestOfAllLanes) {
  const HostTeam team(96);
  for (const int at : {0, 31, 32, 95}) {
    auto values = team.make_register();
    for (int lane = 0; lane < 96; ++lane) values[lane] = lane == at ? -1.0f : -2.0f;
    EXPECT_EQ(team.max(values), -1.0f) << at;
  }
}

TEST(CudaTeam, EveryLaneOfAGroupGetsItsSum) {
  const HostTeam team(64);
  for (const int group : {1, 2, 8, 32}) {
    auto values = team.make_register();
    for (int lane = 0; lane < 64; ++lane) values[lane] = static_cast<float>(lane);
    team.sum_groups(values, group);
    for (int lane = 0; lane < 64; ++lane) {
      const int first = lane / group * group;
      EXPECT_EQ(values[lane], static_cast<float>(group * first + group * (group - 1) / 2));
    }
  }
}

}  // namespace
}  // namespace muonlab::cuda
