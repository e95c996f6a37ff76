// Starting the kernels: what the operators (C++ compiler, ATen) ask of the .cu files (nvcc, no
// ATen).
#pragma once

#include <cstdint>

#include "cuda/activation.hpp"
#include "cuda/adamw.hpp"
#include "cuda/cross_entropy.hpp"
#include "cuda/embedding.hpp"
#include "cuda/muon.hpp"
#include "cuda/rms_norm.hpp"
#include "cuda/rotation.hpp"
#include "cuda/status.hpp"

struct CUstream_st;

namespace muonlab::cuda {

// size: elements a lane takes at a time, 1 or 4; 4 needs a body with kPacked, rows that are
// multiples of 4 and arrays aligned to 4 elements.
struct Launch {
  CUstream_st* stream = nullptr;
  int64_t num_blocks;
  int lanes = kMaxLanes;
  int64_t scratch_floats = 0;
  int size = 4;
};

// Enqueues the kernel on the current device; errors stay in cudaGetLastError.
// Each body in the headers above, with float and Bf16 for its numbers, is instantiated in a .cu
// file.
template <class Body>
void launch(const Body& body, const Launch& how);

// More blocks than a GPU runs at once; a block goes on with further rows or elements.
constexpr int64_t kMaxBlocks = 1 << 16;
// Blocks of RmsNormBackward and RotateBackward: each sums its rows of the gain's gradient before
// the blocks' sums are added up.
constexpr int64_t kGainBlocks = 512;
// Shared memory every device gives a block is 48 KiB; DeviceTeam takes a little of it.
constexpr int64_t kMaxScratchFloats = 12000;

inline int64_t blocks_for(int64_t work, int64_t work_of_block, int64_t most = kMaxBlocks) {
  return std::clamp<int64_t>((work + work_of_block - 1) / work_of_block, 1, most);
}

}  // namespace muonlab::cuda
