// One step of training, in this process.
#include "muonlab/train/step.hpp"

#include <limits>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/base/non_finite.hpp"
#include "muonlab/train/norm.hpp"
#include "run/small_session.hpp"

namespace muonlab::train {
namespace {

TEST(Step, ClippingClipsAndLeavesASmallGradientAlone) {
  run::Session plain(run::prepare_small());
  const double norm = train_step(plain.trainer()).grad_norm;
  EXPECT_NEAR(global_norm(plain.trainer().arena.grads()), norm, 1e-9) << "no clipping";

  run::Session clipped(run::prepare_small({"train.clip=0.1"}));
  EXPECT_EQ(train_step(clipped.trainer()).grad_norm, norm) << "the record is of before clipping";
  ASSERT_GT(norm, 0.1);
  EXPECT_NEAR(global_norm(clipped.trainer().arena.grads()), 0.1, 1e-6);
  const at::Tensor ratio = clipped.trainer().arena.grads() * (norm / 0.1);
  EXPECT_TRUE(at::allclose(ratio, plain.trainer().arena.grads(), 1e-5, 1e-7)) << "same direction";

  run::Session below(run::prepare_small({"train.clip=1000"}));
  train_step(below.trainer());
  EXPECT_TRUE(at::equal(below.trainer().arena.grads(), plain.trainer().arena.grads()));
  EXPECT_TRUE(at::equal(below.trainer().arena.values(), plain.trainer().arena.values()));
}

TEST(Step, CountsWhatItTrainedOn) {
  run::Session session(run::prepare_small());
  Trainer& trainer = session.trainer();
  train_step(trainer);
  const StepRecord record = train_step(trainer);
  EXPECT_EQ(record.step, 2);
  EXPECT_EQ(trainer.state.step, 2);
  EXPECT_EQ(trainer.state.next_sample, 8);
  EXPECT_EQ(trainer.state.tokens, 128);
  EXPECT_EQ(record.lr, (std::vector<double>{0.02, 0.003}));
}

TEST(Step, ALossThatIsNotFiniteLeavesEverythingUntouched) {
  run::Session session(run::prepare_small());
  Trainer& trainer = session.trainer();
  train_step(trainer);
  trainer.arena.find("model.norm.weight")
      .value.detach()
      .fill_(std::numeric_limits<float>::infinity());
  trainer.model.weights_changed();
  const at::Tensor values = trainer.arena.values().detach().clone();
  std::vector<at::Tensor> moments;
  for (const auto& moment : trainer.optimizer.state()) moments.push_back(moment.value.clone());
  const TrainState state = trainer.state;
  EXPECT_THROW(train_step(trainer), base::NonFinite);
  EXPECT_TRUE(at::equal(trainer.arena.values(), values));
  const auto after = trainer.optimizer.state();
  for (size_t i = 0; i < after.size(); ++i)
    EXPECT_TRUE(at::equal(after[i].value, moments[i])) << after[i].name;
  EXPECT_TRUE(trainer.state == state);
}

}  // namespace
}  // namespace muonlab::train
