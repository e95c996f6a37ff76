// The norm of gradients that lie in several processes.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/train/norm.hpp"
#include "support/parameters.hpp"
#include "support/processes.hpp"

namespace muonlab::train {
namespace {

TEST(SharedNorm, HasTheBitsOfOneProcess) {
  if (!comm::missing().empty()) GTEST_SKIP() << comm::missing();
  const int64_t length = 100'000;  // three blocks and a rest
  const at::Tensor whole = support::normal({length}, 5) * 1e3;
  const double expected = global_norm(whole);
  const std::vector<std::vector<optim::Share>> cases{
      {{0, 48, 0}, {48, 96, 1}, {96, 50'000, 2}, {50'000, 60'000, 0}, {60'000, length, 1}},
      {{0, 32'768, 2}, {32'768, length, 1}},  // rank 0 has nothing
      {{0, 90'000, 1}, {90'000, 99'008, 0}, {99'008, length, 2}}};
  support::each_rank(3, [&](comm::Communicator& group) {
    for (const auto& shares : cases) {
      at::Tensor own = at::full({length}, NAN);  // what others have
      for (const optim::Share& share : shares) {
        const auto part = [&](const at::Tensor& x) {
          return x.narrow(0, share.begin, share.end - share.begin);
        };
        if (share.owner == group.rank()) part(own).copy_(part(whole));
      }
      EXPECT_EQ(global_norm(own, shares, group), expected);
    }
  });
}

}  // namespace
}  // namespace muonlab::train
