// The one door to Gloo: LibTorch's own, declared by the headers of Debian's libgloo-dev.
#pragma once

#include <chrono>

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace muonlab::comm {

bool has_gloo();
// Connects to all other processes that meet at `store`. REQUIRES: has_gloo().
c10::intrusive_ptr<c10d::Backend> connect_by_gloo(const c10::intrusive_ptr<c10d::Store>& store,
                                                  int rank, int size,
                                                  std::chrono::milliseconds timeout);

}  // namespace muonlab::comm
