#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "muonlab/train/norm.hpp"

namespace muonlab::train {
namespace {

constexpr int64_t kBlock = 1 << 15;
constexpr int64_t kLanes = 16;

double block_sum_of_squares(const float* x, int64_t n) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] += static_cast<double>(x[i + j]) * x[i + j];
  }
  for (; i < n; ++i) lanes[0] += static_cast<double>(x[i]) * x[i];
  double sum = 0;
  for (double lane : lanes) sum += lane;
  return sum;
}

int64_t num_blocks(int64_t length) { return (length + kBlock - 1) / kBlock; }

// The sums of the blocks that are wanted; the others are zero.
std::vector<double> block_sums(const at::Tensor& flat, const std::function<bool(int64_t)>& wanted) {
  const float* x = flat.const_data_ptr<float>();
  const int64_t n = flat.numel();
  std::vector<double> sums(static_cast<size_t>(num_blocks(n)));
  at::parallel_for(0, std::ssize(sums), 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      if (!wanted(b)) continue;
      sums[static_cast<size_t>(b)] =
          block_sum_of_squares(x + b * kBlock, std::min(kBlock, n - b * kBlock));
    }
  });
  return sums;
}

// The process that sums up each block: the one with its first element.
std::vector<int> owners_of_blocks(const std::vector<optim::Share>& shares, int64_t length) {
  std::vector<int> owners(static_cast<size_t>(num_blocks(length)));
  for (const optim::Share& share : shares) {
    for (int64_t b = num_blocks(share.begin); b * kBlock < share.end; ++b)
      owners[static_cast<size_t>(b)] = share.owner;
  }
  return owners;
}

// Where a share begins within a block, the rest of the block goes to the block's owner.
void complete_blocks(const at::Tensor& flat, const std::vector<optim::Share>& shares,
                     const std::vector<int>& owners, comm::Communicator& processes) {
  std::vector<comm::Message> sends, receives;
  for (const optim::Share& share : shares) {
    const int64_t block = share.begin / kBlock, end = std::min(share.end, (block + 1) * kBlock);
    const int owner = owners[static_cast<size_t>(block)];
    if (share.begin % kBlock == 0 || owner == share.owner) continue;
    const at::Tensor rest = flat.narrow(0, share.begin, end - share.begin);
    if (share.owner == processes.rank()) sends.push_back({rest, owner});
    if (owner == processes.rank()) receives.push_back({rest, share.owner});
  }
  processes.exchange(sends, receives);
}

}  // namespace

double global_norm(const at::Tensor& flat) {
  if (!flat.is_cpu() || flat.scalar_type() != at::kFloat) {
    return at::linalg_vector_norm(flat, 2, std::nullopt, false, at::kDouble).item<double>();
  }
  double total = 0;
  for (const double sum : block_sums(flat, [](int64_t) { return true; })) total += sum;
  return std::sqrt(total);
}

double global_norm(const at::Tensor& flat, const std::vector<optim::Share>& shares,
                   comm::Communicator& processes) {
  if (shares.empty()) return global_norm(flat);
  const std::vector<int> owners = owners_of_blocks(shares, flat.numel());
  complete_blocks(flat, shares, owners, processes);
  const std::vector<double> own = block_sums(
      flat, [&](int64_t b) { return owners[static_cast<size_t>(b)] == processes.rank(); });
  const at::Tensor all = processes.all_gather(at::tensor(own, at::kDouble));
  const double* sums = all.const_data_ptr<double>();
  double total = 0;
  for (int64_t b = 0; b < std::ssize(own); ++b)
    total += sums[owners[static_cast<size_t>(b)] * std::ssize(own) + b];
  return std::sqrt(total);
}

}  // namespace muonlab::train
