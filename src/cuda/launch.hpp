// Starting the kernels: what register.cpp (C++ compiler, ATen) asks of the .cu files (nvcc, no
// ATen).
#pragma once

#include <cstdint>

#include "cuda/adamw.hpp"
#include "cuda/rms_norm.hpp"
#include "cuda/swiglu.hpp"

struct CUstream_st;

namespace muonlab::cuda {

// size: elements a lane takes at a time, 1 or 4; 4 needs rows that are multiples of 4 and arrays
// aligned to 4 elements.
struct Launch {
  CUstream_st* stream;
  int64_t num_blocks;
  int lanes;
  int64_t scratch_floats = 0;
  int size = 4;
};

// Enqueues the kernel on the current device; errors stay in cudaGetLastError.
// Body: AdamW, RmsNormForward<B, O>, RmsNormBackward<B, O>, ColumnSums (size 1), SwiGluForward<B>,
// SwiGluBackward<B> with B and O of float, Bf16.
template <class Body>
void launch(const Body& body, const Launch& how);

// More blocks than a GPU runs at once; a block goes on with further rows or elements.
constexpr int64_t kMaxBlocks = 1 << 16;
// Blocks of RmsNormBackward: each sums its rows of the gain's gradient before the blocks' sums are
// added up.
constexpr int64_t kGainBlocks = 512;
// Shared memory every device gives a block is 48 KiB; DeviceTeam takes a little of it.
constexpr int64_t kMaxScratchFloats = 12000;

inline int64_t blocks_for(int64_t work, int64_t work_of_block, int64_t most = kMaxBlocks) {
  return std::clamp<int64_t>((work + work_of_block - 1) / work_of_block, 1, most);
}

}  // namespace muonlab::cuda
