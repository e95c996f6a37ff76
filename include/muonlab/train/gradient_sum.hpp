// The gradients of a step's micro-batches, summed over micro-batches and processes.
//
// train.reduction "exact" sums in one binary tree whose leaves are the micro-batches of the whole
// step by their number: nodes 2i and 2i + 1 of a level are added, and a node without a right
// neighbour moves up unchanged. Who computes a leaf and who adds two nodes is no part of the
// result, so any number of processes gives the same bytes. Each process takes one range of
// micro-batches and adds what lies within it; then each gets the others' nodes of its shares of the
// arena and completes the tree there.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/comm/communicator.hpp"
#include "muonlab/config/run.hpp"
#include "muonlab/optim/optimizer.hpp"
#include "muonlab/tensor/parameter.hpp"

namespace muonlab::train {

// Covers leaves [index << level, (index + 1) << level), as far as there are so many.
struct TreeNode {
  int level;
  int64_t index;
  bool operator==(const TreeNode&) const = default;
};
// The largest nodes within the leaves [begin, end) that a process adds up by itself, from left to
// right.
std::vector<TreeNode> nodes_within(int64_t begin, int64_t end);

// Memory of the partial sums in a process that takes so many micro-batches, for each parameter.
double gradient_sum_bytes(const config::TrainConfig& train, int64_t num_micro_batches);

class GradientSum {
 public:
  // num_micro_batches is a multiple of the number of processes. `shares`: of the processes; none
  // where there is one process.
  GradientSum(tensor::Arena& arena, comm::Communicator& processes, int64_t num_micro_batches,
              config::Reduction reduction, std::vector<optim::Share> shares);

  int64_t num_micro_batches() const { return num_micro_batches_; }
  // The micro-batches of this process.
  int64_t begin() const { return begin_; }
  int64_t end() const { return end_; }

  void start();  // a step: gradients are zero
  void take();   // after each micro-batch, whose gradients were added to the arena
  // The arena holds the whole step's sum in this process' shares; elsewhere it holds anything.
  void finish();

 private:
  struct Part {
    TreeNode node;
    at::Tensor sum;  // flat, of the arena's length or of a share's
  };
  at::Tensor buffer();
  at::Tensor add_up(std::vector<Part>& parts, TreeNode node) const;
  std::vector<at::Tensor> shares_of(int rank, const at::Tensor& flat) const;
  void add_shares();
  void release();  // parts become buffers

  tensor::Arena& arena_;
  comm::Communicator& processes_;
  const int64_t num_micro_batches_;
  const bool exact_;
  const std::vector<optim::Share> shares_;
  int64_t begin_, end_, next_ = 0;
  std::vector<Part> parts_;           // complete nodes, left to right, but the one in the arena
  std::vector<at::Tensor> free_;      // buffers
  std::vector<at::Tensor> received_;  // kept from step to step
};

}  // namespace muonlab::train
