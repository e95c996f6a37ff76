// The sum of gradients in one tree, by any number of processes.
#include "muonlab/train/gradient_sum.hpp"

#include <mutex>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/processes.hpp"

namespace muonlab::train {
namespace {

using config::Reduction;

tensor::Arena make_arena() {
  const std::vector<config::ParameterSpec> specs{{"a", config::Role::q, 0, {5, 7}},
                                                 {"b", config::Role::norm, 0, {33}}};
  return tensor::Arena(specs, {0, 1});
}

// Gradients of very different sizes, so that another order of the sum gives other bytes.
at::Tensor leaf(int64_t micro, int64_t length) {
  const at::Tensor index = at::arange(length, at::kDouble) + 37.0 * static_cast<double>(micro);
  return (at::sin(index * 1.7) * at::exp(at::cos(index * 0.9) * 6.0)).to(at::kFloat);
}

// By the definition: neighbours are added, level by level; the last of an odd level moves up.
at::Tensor tree_sum(int64_t count, int64_t length) {
  std::vector<at::Tensor> level;
  for (int64_t micro = 0; micro < count; ++micro) level.push_back(leaf(micro, length));
  while (level.size() > 1) {
    std::vector<at::Tensor> above;
    for (size_t i = 0; i < level.size(); i += 2)
      above.push_back(i + 1 < level.size() ? level[i] + level[i + 1] : level[i]);
    level = std::move(above);
  }
  return level[0];
}

// For so many processes: uneven, and of one process more than one.
std::vector<optim::Share> make_shares(int processes, int64_t length) {
  std::vector<optim::Share> shares;
  for (int64_t begin = 0, i = 0; begin < length; ++i) {
    const int64_t end = i == processes ? length : std::min(length, begin + 16);
    shares.push_back({begin, end, static_cast<int>(i % processes)});
    begin = end;
  }
  return shares;
}

// Those of the processes' shares that are this one's.
at::Tensor own_part(const at::Tensor& flat, const std::vector<optim::Share>& shares, int rank) {
  std::vector<at::Tensor> own;
  for (const optim::Share& share : shares) {
    if (share.owner == rank) own.push_back(flat.narrow(0, share.begin, share.end - share.begin));
  }
  return at::cat(own);
}

at::Tensor sum_of_step(GradientSum& sum, tensor::Arena& arena) {
  sum.start();
  for (int64_t micro = sum.begin(); micro < sum.end(); ++micro) {
    arena.grads().add_(leaf(micro, arena.grads().numel()));
    sum.take();
  }
  sum.finish();
  return arena.grads().clone();
}

TEST(GradientSum, OneProcessSumsInTheTree) {
  for (const int64_t count : {1, 2, 3, 4, 5, 6, 7, 8, 11, 16}) {
    tensor::Arena arena = make_arena();
    comm::Communicator alone;
    GradientSum sum(arena, alone, count, Reduction::exact, {});
    const at::Tensor expected = tree_sum(count, arena.grads().numel());
    EXPECT_TRUE(at::equal(sum_of_step(sum, arena), expected)) << count;
    EXPECT_TRUE(at::equal(sum_of_step(sum, arena), expected)) << count << ", the step after";
  }
}

TEST(GradientSum, FastSumsOneAfterAnotherInOneProcess) {
  tensor::Arena arena = make_arena();
  comm::Communicator alone;
  GradientSum sum(arena, alone, 5, Reduction::fast, {});
  at::Tensor expected = at::zeros_like(arena.grads());
  for (int64_t micro = 0; micro < 5; ++micro) expected.add_(leaf(micro, expected.numel()));
  EXPECT_TRUE(at::equal(sum_of_step(sum, arena), expected));
  EXPECT_FALSE(at::equal(expected, tree_sum(5, expected.numel())))
      << "the test's numbers must tell the orders apart";
}

TEST(GradientSum, AnyNumberOfProcessesGivesTheSameBytes) {
  if (!comm::missing().empty()) GTEST_SKIP() << comm::missing();
  const std::vector<std::pair<int, int64_t>> cases{{2, 2}, {2, 6}, {3, 6}, {4, 8}, {3, 9}};
  for (const auto& [processes, count] : cases) {
    std::mutex lock;
    int equal = 0;
    support::each_rank(
        processes, [&, processes = processes, count = count](comm::Communicator& group) {
          tensor::Arena arena = make_arena();
          const auto shares = make_shares(processes, arena.grads().numel());
          GradientSum sum(arena, group, count, Reduction::exact, shares);
          for (int step = 0; step < 2; ++step) {
            const at::Tensor total = sum_of_step(sum, arena);
            const std::lock_guard guard(lock);
            equal += at::equal(own_part(total, shares, group.rank()),
                               own_part(tree_sum(count, total.numel()), shares, group.rank()));
          }
        });
    EXPECT_EQ(equal, 2 * processes) << processes << " processes, " << count << " micro-batches";
  }
}

TEST(GradientSum, BytesSentAreTheFormulas) {
  if (!comm::missing().empty()) GTEST_SKIP() << comm::missing();
  // Each process sends its sum of all shares but its own. What else moves in a step is counted in
  // tests/run/shared_step_test.cpp.
  support::each_rank(4, [&](comm::Communicator& group) {
    tensor::Arena arena = make_arena();
    GradientSum sum(arena, group, 8, Reduction::exact, make_shares(4, arena.grads().numel()));
    const int64_t before = group.bytes_sent();
    sum_of_step(sum, arena);
    const at::Tensor all =
        group.all_gather(at::scalar_tensor(group.bytes_sent() - before, at::kLong));
    EXPECT_EQ(all.sum().item<int64_t>(), 3 * static_cast<int64_t>(arena.grads().nbytes()));
  });
}

TEST(GradientSum, NodesWithinARangeAreTheLargest) {
  EXPECT_EQ(nodes_within(0, 8), (std::vector<TreeNode>{{3, 0}}));
  EXPECT_EQ(nodes_within(4, 6), (std::vector<TreeNode>{{1, 2}}));
  EXPECT_EQ(nodes_within(3, 6), (std::vector<TreeNode>{{0, 3}, {1, 2}}));
  EXPECT_EQ(nodes_within(1, 3), (std::vector<TreeNode>{{0, 1}, {0, 2}}));
}

}  // namespace
}  // namespace muonlab::train
