// The door to NCCL, which is in the CUDA plugin (src/cuda/nccl.cpp).
#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace muonlab::comm {

// Connects this process' current GPU to those of all others that meet at `store`. Throws
// base::Error where the plugin has no NCCL. REQUIRES: the CUDA plugin is loaded.
c10::intrusive_ptr<c10d::Backend> connect_by_nccl(const c10::intrusive_ptr<c10d::Store>& store,
                                                  int rank, int size);

}  // namespace muonlab::comm
