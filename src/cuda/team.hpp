// The lanes of a block, and how they add up their numbers.
//
// A kernel's body is a member template run(team, block, num_blocks) of a struct that holds its
// arguments. On the device a team is the block's threads, on the host it is HostTeam: a loop over
// the same lanes. A body that passes on the host has its indices, its rounding and its order of
// summation tested; what is left to the device is DeviceTeam (grid.cuh) and the launch.
//
// Order of a sum: within each warp of 32 lanes, halves onto halves (lane i gets lane i + 16, then i
// + 8, 4, 2, 1); then the warps' sums one after the other. It depends on the number of lanes alone,
// so a sum is the same in every run.
#pragma once

#include <algorithm>
#include <array>
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

// How two partial results become one.
struct Add {
  template <class T>
  MUONLAB_KERNEL T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {  // a NaN among them need not survive
  template <class T>
  MUONLAB_KERNEL T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};

template <class T, class Join>
MUONLAB_KERNEL T join_warps(const T* of_warps, int num_warps, Join join) {
  T result = of_warps[0];
  for (int warp = 1; warp < num_warps; ++warp) result = join(result, of_warps[warp]);
  return result;
}

#ifndef __CUDACC__
// All lanes of a block, one after the other. The interface is DeviceTeam's.
class HostTeam {
 public:
  // One number a lane: a register on the device.
  template <class T = float>
  struct Register {
    std::array<T, kMaxLanes> values{};
    T& operator[](int lane) { return values[static_cast<size_t>(lane)]; }
  };

  // scratch: floats of memory that the lanes share.
  explicit HostTeam(int lanes, int64_t scratch = 0)
      : lanes_(lanes), scratch_(static_cast<size_t>(scratch)) {}

  int lanes() const { return lanes_; }
  float* scratch() { return scratch_.data(); }
  template <class T = float>
  Register<T> make_register() const {
    return {};
  }

  template <class Work>
  void each(Work work) const {
    for (int lane = 0; lane < lanes_; ++lane) work(lane);
  }

  // What a lane wrote to scratch or memory before it, every lane sees behind it.
  void barrier() const {}

  template <class T>
  T sum(Register<T> values) const {
    return join_all(values, Add{});
  }
  template <class T>
  T max(Register<T> values) const {
    return join_all(values, Larger{});
  }

  // Every lane gets the sum over its group: `group` neighbours, a power of two up to kWarp.
  template <class T>
  void sum_groups(Register<T>& values, int group) const {
    for (int step = group / 2; step > 0; step /= 2) {
      const Register<T> before = values;
      for (int lane = 0; lane < lanes_; ++lane) {
        values[lane] = before.values[static_cast<size_t>(lane)] +
                       before.values[static_cast<size_t>(lane ^ step)];
      }
    }
  }

 private:
  template <class T, class Join>
  T join_all(Register<T>& values, Join join) const {
    std::array<T, kMaxWarps> of_warps{};
    for (int first = 0; first < lanes_; first += kWarp) {
      for (int step = kWarp / 2; step > 0; step /= 2) {
        for (int lane = first; lane < first + step; ++lane)
          values[lane] = join(values[lane], values[lane + step]);
      }
      of_warps[static_cast<size_t>(first / kWarp)] = values[first];
    }
    return join_warps(of_warps.data(), lanes_ / kWarp, join);
  }

  int lanes_;
  std::vector<float> scratch_;
};
#endif

}  // namespace muonlab::cuda
