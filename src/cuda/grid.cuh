// The device's side of a body: a grid of blocks, each a team.
#pragma once

#include "cuda/launch.hpp"

namespace muonlab::cuda {

extern __shared__ float dynamic_scratch[];

struct DeviceTeam {
  float* warp_sums;  // [kMaxWarps], shared

  struct Register {
    float value;
    __device__ __forceinline__ float& operator[](int) { return value; }
  };

  __device__ __forceinline__ int lanes() const { return static_cast<int>(blockDim.x); }
  __device__ __forceinline__ float* scratch() const { return dynamic_scratch; }
  __device__ __forceinline__ Register make_register() const { return {0.0f}; }

  template <class Work>
  __device__ __forceinline__ void each(Work work) const {
    work(static_cast<int>(threadIdx.x));
  }

  // Every lane of the block must come here; every lane gets the sum.
  __device__ __forceinline__ float sum(Register of_lane) const {
    float value = of_lane.value;
    for (int step = kWarp / 2; step > 0; step /= 2)
      value += __shfl_down_sync(0xffffffffu, value, step);
    if (threadIdx.x % kWarp == 0) warp_sums[threadIdx.x / kWarp] = value;
    __syncthreads();
    const float total = add_up_warps(warp_sums, static_cast<int>(blockDim.x) / kWarp);
    __syncthreads();  // before the next sum writes
    return total;
  }
};

template <int kSize, class Body>
__global__ void __launch_bounds__(kMaxLanes) run_blocks(const Body body) {
  __shared__ float warp_sums[kMaxWarps];
  DeviceTeam team{warp_sums};
  body.template run<kSize>(team, blockIdx.x, gridDim.x);
}

template <int kSize, class Body>
void launch_sized(const Body& body, const Launch& how) {
  const auto scratch_bytes = static_cast<size_t>(how.scratch_floats) * sizeof(float);
  run_blocks<kSize><<<static_cast<unsigned>(how.num_blocks), static_cast<unsigned>(how.lanes),
                      scratch_bytes, how.stream>>>(body);
}

template <class Body>
void launch(const Body& body, const Launch& how) {
  how.size == 4 ? launch_sized<4>(body, how) : launch_sized<1>(body, how);
}

}  // namespace muonlab::cuda
