// The global norm of the gradients.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/comm/communicator.hpp"
#include "muonlab/optim/optimizer.hpp"

namespace muonlab::train {

// Euclidean norm of a flat tensor, summed in double over fixed blocks: the same bits for any number
// of threads.
double global_norm(const at::Tensor& flat);
// The same, and the same bits, of a tensor of which each process has its shares. What it has of the
// others' is partly overwritten.
double global_norm(const at::Tensor& flat, const std::vector<optim::Share>& shares,
                   comm::Communicator& processes);

}  // namespace muonlab::train
