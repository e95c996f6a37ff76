// The lanes of a block, and how they add up their numbers.
//
// A kernel's body is a member template run(team, block, num_blocks) of a struct that holds its
// arguments. On the device a team is the block's threads, in tests it is HostTeam: a loop over the
// same lanes. A body that passes on the host has its indices, its rounding and its order of
// summation tested; what is left to the device is DeviceTeam (grid.cuh) and the launch.
//
// Order of a sum: within each warp of 32 lanes, halves onto halves (lane i gets lane i + 16, then i
// + 8, 4, 2, 1); then the warps' sums one after the other. It depends on the number of lanes alone,
// so a sum is the same in every run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cuda/number.hpp"

namespace muonlab::cuda {

constexpr int kWarp = 32;
constexpr int kMaxLanes = 256;
constexpr int kMaxWarps = kMaxLanes / kWarp;

// Lanes for a row of `width` elements of which each takes `size` at a time: a multiple of kWarp up
// to kMaxLanes.
constexpr int lanes_for(int64_t width, int size) {
  const int64_t packs = (width + size - 1) / size;
  const int64_t warps = (packs + kWarp - 1) / kWarp;
  return static_cast<int>(std::clamp<int64_t>(warps, 1, kMaxWarps)) * kWarp;
}

MUONLAB_KERNEL float add_up_warps(const float* sums, int num_warps) {
  float sum = sums[0];
  for (int warp = 1; warp < num_warps; ++warp) sum += sums[warp];
  return sum;
}

#ifndef __CUDACC__
// All lanes of a block, one after the other. The interface is DeviceTeam's.
class HostTeam {
 public:
  // One float a lane: a register on the device.
  struct Register {
    std::vector<float> values;
    float& operator[](int lane) { return values[static_cast<size_t>(lane)]; }
  };

  // scratch: floats of memory that the lanes share.
  explicit HostTeam(int lanes, int64_t scratch = 0)
      : lanes_(lanes), scratch_(static_cast<size_t>(scratch)) {}

  int lanes() const { return lanes_; }
  float* scratch() { return scratch_.data(); }
  Register make_register() const { return {std::vector<float>(static_cast<size_t>(lanes_))}; }

  template <class Work>
  void each(Work work) const {
    for (int lane = 0; lane < lanes_; ++lane) work(lane);
  }

  float sum(Register values) const {
    float sums[kMaxWarps] = {};
    for (int first = 0; first < lanes_; first += kWarp) {
      for (int step = kWarp / 2; step > 0; step /= 2) {
        for (int lane = first; lane < first + step; ++lane) values[lane] += values[lane + step];
      }
      sums[first / kWarp] = values[first];
    }
    return add_up_warps(sums, lanes_ / kWarp);
  }

 private:
  int lanes_;
  std::vector<float> scratch_;
};
#endif

}  // namespace muonlab::cuda
