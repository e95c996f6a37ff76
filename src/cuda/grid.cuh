// The device's side of a body: a grid of blocks, each a team.
#pragma once

#include "cuda/launch.hpp"

namespace muonlab::cuda {

extern __shared__ float dynamic_scratch[];

struct DeviceTeam {
  double* of_warps;  // [kMaxWarps], shared

  template <class T = float>
  struct Register {
    T value;
    __device__ __forceinline__ T& operator[](int) { return value; }
  };

  __device__ __forceinline__ int lanes() const { return static_cast<int>(blockDim.x); }
  __device__ __forceinline__ float* scratch() const { return dynamic_scratch; }
  template <class T = float>
  __device__ __forceinline__ Register<T> make_register() const {
    return {T(0)};
  }

  template <class Work>
  __device__ __forceinline__ void each(Work work) const {
    work(static_cast<int>(threadIdx.x));
  }

  __device__ __forceinline__ void barrier() const { __syncthreads(); }

  // Every lane of the block must come here; every lane gets the result.
  template <class T>
  __device__ __forceinline__ T sum(Register<T> of_lane) const {
    return join_all(of_lane.value, Add{});
  }
  template <class T>
  __device__ __forceinline__ T max(Register<T> of_lane) const {
    return join_all(of_lane.value, Larger{});
  }

  template <class T>
  __device__ __forceinline__ void sum_groups(Register<T>& of_lane, int group) const {
    for (int step = group / 2; step > 0; step /= 2)
      of_lane.value += __shfl_xor_sync(0xffffffffu, of_lane.value, step);
  }

  template <class T, class Join>
  __device__ __forceinline__ T join_all(T value, Join join) const {
    for (int step = kWarp / 2; step > 0; step /= 2)
      value = join(value, __shfl_down_sync(0xffffffffu, value, step));
    T* slots = reinterpret_cast<T*>(of_warps);
    if (threadIdx.x % kWarp == 0) slots[threadIdx.x / kWarp] = value;
    __syncthreads();
    const T total = join_warps(slots, static_cast<int>(blockDim.x) / kWarp, join);
    __syncthreads();  // before the next one writes
    return total;
  }
};

template <int kSize, class Body>
__global__ void __launch_bounds__(kMaxLanes) run_blocks(const Body body) {
  __shared__ double of_warps[kMaxWarps];
  DeviceTeam team{of_warps};
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
  if constexpr (Body::kPacked) {
    if (how.size == 4) return launch_sized<4>(body, how);
  }
  launch_sized<1>(body, how);
}

}  // namespace muonlab::cuda
