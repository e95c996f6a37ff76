// The calls by NCCL, in two processes with a GPU each; skipped, with the reason, where there are
// fewer GPUs.
#include <cstdlib>
#include <filesystem>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/comm/communicator.hpp"
#include "muonlab/comm/launch.hpp"
#include "muonlab/tensor/plugin.hpp"

namespace muonlab::comm {
namespace {

at::Tensor numbers(int rank, int64_t count = 4) {
  return at::arange(count, at::kFloat).add_(100 * rank).to(at::kCUDA);
}

void expect_the_calls_to_work(const Identity& identity) {
  ::setenv("CUDA_VISIBLE_DEVICES", own_gpu(identity, std::getenv("CUDA_VISIBLE_DEVICES")).c_str(),
           1);
  ASSERT_EQ(tensor::plugin::load(), "");
  Communicator group(identity, 60, 60);
  group.connect_device();
  const int rank = group.rank(), peer = 1 - rank;
  const at::Tensor first = at::zeros({4}, at::kCUDA), second = at::zeros({7}, at::kCUDA);
  const at::Tensor count = at::zeros({}, at::kLong);  // on the CPU, in the same call
  group.exchange(
      {{numbers(rank), peer}, {at::scalar_tensor(rank, at::kLong), peer}, {numbers(rank, 7), peer}},
      {{first, peer}, {count, peer}, {second, peer}});
  EXPECT_TRUE(at::equal(first, numbers(peer)));
  EXPECT_TRUE(at::equal(second, numbers(peer, 7)));
  EXPECT_EQ(count.item<int64_t>(), peer);
  const at::Tensor all = group.all_gather(numbers(rank));
  EXPECT_TRUE(at::equal(all[0], numbers(0)) && at::equal(all[1], numbers(1)));
  const at::Tensor from_first = numbers(rank), sum = numbers(rank);
  group.broadcast(from_first);
  EXPECT_TRUE(at::equal(from_first, numbers(0)));
  group.all_reduce(sum);
  EXPECT_TRUE(at::equal(sum, numbers(0) + numbers(1)));
  group.barrier();
}

// Starts itself twice.
TEST(Nccl, EveryCallGivesBothRanksTheSame) {
  if (!missing().empty()) GTEST_SKIP() << missing();
  const Identity identity = identity_from_environment();
  if (identity.size == 2) return expect_the_calls_to_work(identity);
  if (!std::filesystem::exists("/dev/nvidia1")) GTEST_SKIP() << "fewer than two GPUs";
  const std::vector<std::string> command{"/proc/self/exe", "--gtest_filter=Nccl.*"};
  EXPECT_EQ(launch(command, 2, 60), 0);
}

}  // namespace
}  // namespace muonlab::comm
