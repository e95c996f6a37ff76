// Steps of several processes, whose ranks are threads here: what each computes, and what it sends.
#include <cstring>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/train/shared_out.hpp"
#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"
#include "support/processes.hpp"

namespace muonlab::run {
namespace {

bool same_bytes(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  return x.sizes() == y.sizes() &&
         std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0;
}

// Bytes that all processes together have sent in `work`.
template <class Work>
int64_t bytes_sent_in(comm::Communicator& group, const Work& work) {
  const int64_t before = group.bytes_sent();
  work();
  return group.all_gather(at::scalar_tensor(group.bytes_sent() - before, at::kLong))
      .sum()
      .item<int64_t>();
}

TEST(SharedStep, HasTheBytesOfOneProcessAndSendsWhatTheDocumentsSay) {
  if (!comm::missing().empty()) GTEST_SKIP() << comm::missing();
  constexpr int kProcesses = 2, kSteps = 3;
  const auto prepared = [] { return prepare_small({"train.micro_batch=1", "train.clip=0.5"}); };
  Session alone(prepared());
  std::vector<train::StepRecord> records;
  for (int step = 0; step < kSteps; ++step) records.push_back(train::train_step(alone.trainer()));

  support::each_rank(kProcesses, [&](comm::Communicator& group) {
    Session session(prepared());
    train::Trainer& trainer = session.trainer();
    trainer.group = {&group, [](comm::Communicator*) {}};
    train::share_out(trainer);
    const int64_t length = trainer.arena.values().numel(), others = kProcesses - 1;
    int64_t of_rank_1 = 0;
    for (const optim::Share& share : trainer.optimizer.shares())
      of_rank_1 += share.owner == 1 ? share.end - share.begin : 0;
    ASSERT_GT(of_rank_1, length / 3);
    // Losses of two micro-batches and a flag; a norm of one block, whose rest goes to rank 0.
    ASSERT_LE(length, 1 << 15);
    const int64_t numbers = 8 * (3 + 1) * kProcesses * others, rest = 4 * of_rank_1;
    for (int step = 0; step < kSteps; ++step) {
      train::StepRecord record;
      const int64_t bytes = bytes_sent_in(group, [&] { record = train::train_step(trainer); });
      EXPECT_EQ(bytes, (4 + 4) * length * others + numbers + rest);
      EXPECT_EQ(record.loss, records[static_cast<size_t>(step)].loss);
      EXPECT_EQ(record.grad_norm, records[static_cast<size_t>(step)].grad_norm);
    }
    EXPECT_TRUE(same_bytes(trainer.arena.values(), alone.trainer().arena.values()));

    int64_t state_of_rank_1 = 0;
    for (const at::Tensor& state : trainer.optimizer.own_state())
      state_of_rank_1 += group.rank() == 1 ? static_cast<int64_t>(state.nbytes()) : 0;
    EXPECT_EQ(bytes_sent_in(group, [&] { train::collect_gradients(trainer); }), 4 * of_rank_1);
    const int64_t bytes = bytes_sent_in(group, [&] { train::collect_state(trainer); });
    if (group.rank() == 1) {
      EXPECT_EQ(bytes, state_of_rank_1);
      return;
    }
    EXPECT_TRUE(same_bytes(trainer.arena.grads(), alone.trainer().arena.grads()));
    const auto state = trainer.optimizer.state(), expected = alone.trainer().optimizer.state();
    ASSERT_EQ(state.size(), expected.size());
    for (size_t i = 0; i < state.size(); ++i)
      EXPECT_TRUE(same_bytes(state[i].value, expected[i].value)) << state[i].name;
  });
}

}  // namespace
}  // namespace muonlab::run
