// Several processes on the path cuda, by the plugin's operators for the CPU and Gloo in the place
// of NCCL: the order of the calls and the numbers.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "cuda/host_operators.hpp"
#include "muonlab/train/shared_out.hpp"
#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"
#include "support/processes.hpp"

namespace muonlab::train {
namespace {

run::Prepared on_path_cuda(const std::vector<std::string>& settings) {
  run::Prepared prepared = run::prepare_small(settings);
  prepared.place.path = tensor::Path::cuda;
  return prepared;
}

void expect_the_bytes_of_one(std::vector<std::string> settings) {
  constexpr int kSteps = 4;
  cuda::register_host_operators();
  settings.insert(settings.end(), {"train.micro_batch=1", "train.clip=0.5", "train.steps=4"});
  run::Session alone(on_path_cuda(settings));
  std::vector<StepRecord> records;
  for (int step = 0; step < kSteps; ++step) records.push_back(train_step(alone.trainer()));
  support::each_rank(2, [&](comm::Communicator& group) {
    run::Session session(on_path_cuda(settings));
    Trainer& trainer = session.trainer();
    trainer.group = {&group, [](comm::Communicator*) {}};
    share_out(trainer);
    for (const StepRecord& expected : records) {
      const StepRecord record = train_step(trainer);
      EXPECT_EQ(record.loss, expected.loss);
      EXPECT_EQ(record.grad_norm, expected.grad_norm);
    }
    EXPECT_TRUE(at::equal(trainer.arena.values(), alone.trainer().arena.values()));
    collect_state(trainer);
    if (group.rank() > 0) return;
    const auto state = trainer.optimizer.state(), expected = alone.trainer().optimizer.state();
    ASSERT_EQ(state.size(), expected.size());
    for (size_t i = 0; i < state.size(); ++i)
      EXPECT_TRUE(at::equal(state[i].value, expected[i].value)) << state[i].name;
  });
}

TEST(CudaPathShared, HasTheBytesOfOneProcess) {
  if (!comm::missing().empty()) GTEST_SKIP() << comm::missing();
  expect_the_bytes_of_one({});
  expect_the_bytes_of_one({"optimizers.adam={\"rule\":\"lion\",\"lr\":0.01}"});  // by the host
}

}  // namespace
}  // namespace muonlab::train
