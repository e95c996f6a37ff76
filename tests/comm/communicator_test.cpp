// The calls, among ranks that are threads; deaths are tests of the whole program.
#include "muonlab/comm/communicator.hpp"

#include <mutex>
#include <set>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/processes.hpp"

namespace muonlab::comm {
namespace {

using support::each_rank;

at::Tensor numbers(int rank, int64_t count = 4) {
  return at::arange(count, at::kFloat).add_(100 * rank);
}

TEST(Communicator, OneProcessHasNobodyToTalkTo) {
  Communicator alone;
  EXPECT_TRUE(alone.alone());
  EXPECT_EQ(alone.rank(), 0);
  const at::Tensor own = numbers(0);
  EXPECT_TRUE(at::equal(alone.all_gather(own), own.unsqueeze(0)));
  EXPECT_EQ(alone.all_gather(std::string("a")), std::vector<std::string>{"a"});
  EXPECT_EQ(alone.broadcast(std::string("b")), "b");
  alone.all_reduce(own);
  alone.exchange({}, {});
  alone.barrier();
  EXPECT_TRUE(at::equal(own, numbers(0)));
  EXPECT_EQ(alone.bytes_sent(), 0);
}

TEST(Communicator, EveryCallGivesEveryRankTheSame) {
  if (!missing().empty()) GTEST_SKIP() << missing();
  each_rank(3, [](Communicator& group) {
    const int rank = group.rank();
    EXPECT_EQ(group.size(), 3);
    EXPECT_EQ(group.name(2).substr(0, 10), "rank 2 on ");
    const at::Tensor all = group.all_gather(numbers(rank));
    for (int peer = 0; peer < 3; ++peer) EXPECT_TRUE(at::equal(all[peer], numbers(peer)));
    EXPECT_EQ(group.bytes_sent(), 2 * 16);
    const std::vector<std::string> texts = group.all_gather(std::string(rank, 'x'));
    EXPECT_EQ(texts, (std::vector<std::string>{"", "x", "xx"}));
    EXPECT_EQ(group.broadcast(rank == 0 ? std::string("from 0") : ""), "from 0");
    at::Tensor value = numbers(rank);
    group.broadcast(value);
    EXPECT_TRUE(at::equal(value, numbers(0)));
    at::Tensor sum = numbers(rank);
    group.all_reduce(sum);
    EXPECT_TRUE(at::equal(sum, numbers(0) + numbers(1) + numbers(2)));
    group.barrier();
  });
}

TEST(Communicator, MessagesOfAPairArriveInTheirOrder) {
  if (!missing().empty()) GTEST_SKIP() << missing();
  each_rank(2, [](Communicator& group) {
    const int peer = 1 - group.rank();
    for (int round = 0; round < 20; ++round) {
      at::Tensor first = at::empty({3}), second = at::empty({7}), nothing = at::empty({0});
      group.exchange({{numbers(group.rank() + round, 3), peer},
                      {nothing, peer},
                      {numbers(group.rank() + round, 7), peer}},
                     {{first, peer}, {nothing, peer}, {second, peer}});
      EXPECT_TRUE(at::equal(first, numbers(peer + round, 3)));
      EXPECT_TRUE(at::equal(second, numbers(peer + round, 7)));
    }
  });
}

TEST(Communicator, WhoDoesNotComeIsNamed) {
  if (!missing().empty()) GTEST_SKIP() << missing();
  const Identity identity{
      .rank = 0, .size = 2, .local_rank = 0, .local_size = 2, .port = support::free_port()};
  try {
    Communicator group(identity, 1, 1);
    FAIL() << "a process that nobody joins has begun";
  } catch (const base::Error& error) {
    EXPECT_NE(std::string(error.what()).find("rank 1 of 2 processes has not come"),
              std::string::npos)
        << error.what();
  }
  Identity lonely = identity;
  lonely.rank = 1;
  lonely.port = support::free_port();
  try {
    Communicator group(lonely, 1, 1);
    FAIL() << "there is no meeting point";
  } catch (const base::Error& error) {
    EXPECT_NE(std::string(error.what()).find("does not answer"), std::string::npos) << error.what();
  }
}

TEST(Communicator, AReasonGivenAtLeavingReachesThoseWhoWait) {
  if (!missing().empty()) GTEST_SKIP() << missing();
  std::mutex lock;
  std::string told;
  try {
    each_rank(2, [&](Communicator& group) {
      if (group.rank() == 1) {
        group.leave("the disk is full");
        throw std::runtime_error("rank 1 is gone");
      }
      try {
        group.broadcast(std::string("x"));
        group.all_gather(std::string("x"));
        ADD_FAILURE() << "the other rank is gone";
      } catch (const Lost& lost) {
        const std::lock_guard guard(lock);
        told = lost.what();
        EXPECT_TRUE(lost.is_told());
        throw;
      }
    });
  } catch (const std::exception&) {
  }
  EXPECT_NE(told.find("rank 1 on "), std::string::npos) << told;
  EXPECT_NE(told.find("stopped: the disk is full"), std::string::npos) << told;
}

}  // namespace
}  // namespace muonlab::comm
