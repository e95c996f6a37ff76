#include "muonlab/train/gradient_sum.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"

namespace muonlab::train {
namespace {

bool is_left_of(const TreeNode& a, const TreeNode& b) {
  return a.level == b.level && a.index + 1 == b.index && a.index % 2 == 0;
}

TreeNode parent_of(const TreeNode& node) { return {node.level + 1, node.index / 2}; }

}  // namespace

std::vector<TreeNode> nodes_within(int64_t begin, int64_t end) {
  std::vector<TreeNode> nodes;
  for (int64_t leaf = begin; leaf < end; ++leaf) {
    TreeNode node{0, leaf};
    for (; !nodes.empty() && is_left_of(nodes.back(), node); node = parent_of(node))
      nodes.pop_back();
    nodes.push_back(node);
  }
  return nodes;
}

double gradient_sum_bytes(const config::TrainConfig& train, int64_t num_micro_batches) {
  if (train.reduction != config::Reduction::exact || num_micro_batches < 2) return 0;
  return 4.0 * std::ceil(std::log2(static_cast<double>(num_micro_batches)));
}

GradientSum::GradientSum(tensor::Arena& arena, comm::Communicator& processes,
                         int64_t num_micro_batches, config::Reduction reduction,
                         std::vector<optim::Share> shares)
    : arena_(arena),
      processes_(processes),
      num_micro_batches_(num_micro_batches),
      exact_(reduction == config::Reduction::exact && num_micro_batches > 1),
      shares_(std::move(shares)) {
  base::check(num_micro_batches % processes.size() == 0,
              "the micro-batches cannot be shared out evenly");
  const int64_t share = num_micro_batches / processes.size();
  begin_ = processes.rank() * share;
  end_ = begin_ + share;
}

std::vector<at::Tensor> GradientSum::shares_of(int rank, const at::Tensor& flat) const {
  std::vector<at::Tensor> views;
  for (const optim::Share& share : shares_) {
    if (share.owner == rank) views.push_back(flat.narrow(0, share.begin, share.end - share.begin));
  }
  if (shares_.empty()) views.push_back(flat);  // one process
  return views;
}

at::Tensor GradientSum::buffer() {
  if (free_.empty()) return at::empty_like(arena_.grads());
  at::Tensor taken = std::move(free_.back());
  free_.pop_back();
  return taken;
}

void GradientSum::release() {
  for (Part& part : parts_) {
    if (part.sum.data_ptr() != arena_.grads().data_ptr()) free_.push_back(std::move(part.sum));
  }
  parts_.clear();
}

void GradientSum::start() {
  release();  // what a step that failed left
  next_ = begin_;
  arena_.zero_grads();
}

void GradientSum::take() {
  const int64_t leaf = next_++;
  if (!exact_) return;
  at::Tensor grads = arena_.grads();
  TreeNode node{0, leaf};
  for (; !parts_.empty() && is_left_of(parts_.back().node, node); node = parent_of(node)) {
    grads.add_(parts_.back().sum);
    free_.push_back(std::move(parts_.back().sum));
    parts_.pop_back();
  }
  if (next_ == end_) {
    parts_.push_back({node, grads});
    return;
  }
  parts_.push_back({node, buffer().copy_(grads)});
  arena_.zero_grads();
}

// Adds up the parts below a node. A sum is the same whichever side it is added to.
at::Tensor GradientSum::add_up(std::vector<Part>& parts, TreeNode node) const {
  for (Part& part : parts) {
    if (part.node == node) return part.sum;
  }
  base::check(node.level > 0, "a micro-batch is missing in the sum of gradients");
  const TreeNode left{node.level - 1, 2 * node.index}, right{left.level, left.index + 1};
  at::Tensor sum = add_up(parts, left);
  if (right.index << right.level < num_micro_batches_) sum.add_(add_up(parts, right));
  return sum;
}

void GradientSum::add_shares() {
  const int me = processes_.rank();
  const int64_t count = end_ - begin_;
  const std::vector<at::Tensor> mine = shares_of(me, arena_.grads());
  std::vector<std::vector<Part>> parts(mine.size());  // of each share
  std::vector<comm::Message> sends, receives;
  size_t row = 0;
  for (int peer = 0; peer < processes_.size(); ++peer) {
    if (peer == me) {
      for (const Part& part : parts_) {
        const std::vector<at::Tensor> own = shares_of(me, part.sum);
        for (size_t i = 0; i < own.size(); ++i) parts[i].push_back({part.node, own[i]});
      }
      continue;
    }
    for (const TreeNode& node : nodes_within(peer * count, (peer + 1) * count)) {
      for (size_t i = 0; i < mine.size(); ++i, ++row) {
        if (row == received_.size()) received_.push_back(at::empty_like(mine[i]));
        parts[i].push_back({node, received_[row]});
        receives.push_back({received_[row], peer});
      }
    }
    for (const Part& part : parts_) {
      for (const at::Tensor& share : shares_of(peer, part.sum)) sends.push_back({share, peer});
    }
  }
  processes_.exchange(sends, receives);

  TreeNode root{0, 0};
  while (int64_t{1} << root.level < num_micro_batches_) ++root.level;
  for (size_t i = 0; i < mine.size(); ++i) {
    const at::Tensor sum = add_up(parts[i], root);
    if (sum.data_ptr() != mine[i].data_ptr()) mine[i].copy_(sum);
  }
}

void GradientSum::finish() {
  base::check(next_ == end_, "a micro-batch of this process is missing");
  if (exact_) {
    add_shares();
  } else {
    processes_.all_reduce(arena_.grads());
  }
  release();
}

}  // namespace muonlab::train
