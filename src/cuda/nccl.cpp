// Several processes with a GPU each: LibTorch's own NCCL group, for the floor comm
// (src/comm/nccl.cpp). Not built where nccl.h is missing.
#define USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

extern "C" __attribute__((visibility("default"))) c10d::Backend* muonlab_cuda_connect(
    const c10::intrusive_ptr<c10d::Store>& store, int rank, int size) {
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size).release();
}
