// The whole training state out and in again, in this process.
#include "muonlab/train/checkpoint.hpp"

#include <limits>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"

namespace muonlab::train {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class CheckpointTest : public ::testing::Test {
 protected:
  std::string save(Trainer& trainer, bool weights_only = false) {
    return save_checkpoint(trainer, {base::real_file_system(), folder_.path(), trainer.state.step},
                           weights_only);
  }
  static void take_steps(Trainer& trainer, int64_t count) {
    for (int64_t i = 0; i < count; ++i) train_step(trainer);
  }
  base::TemporaryFolder folder_;
};

std::vector<std::string> with_state(const std::vector<std::string>& names, const char* state) {
  std::vector<std::string> found;
  for (const std::string& name : names) {
    if (name.find(state) != std::string::npos) found.push_back(name);
  }
  return found;
}

// Every parameter that a further family has, and what is minimized besides the loss.
const std::vector<std::string> kFamily{"model.attention_bias=all", "model.ffn_bias=true",
                                       "model.head_bias=true",     "model.logit_cap=5",
                                       "model.window=5",           "model.embedding_norm=gain",
                                       "model.post_norm=true",     "model.rotary_fraction=0.5",
                                       "model.document_start=256", "train.z_loss=0.001",
                                       "model.layers=2",           "model.value_residual=learned"};

class ResumeExactly : public CheckpointTest,
                      public testing::WithParamInterface<std::vector<std::string>> {};

TEST_P(ResumeExactly, TrainingGoesOnExactlyAfterALoad) {
  run::Session straight(run::prepare_small(GetParam())), loaded(run::prepare_small(GetParam()));
  take_steps(straight.trainer(), 3);
  const SavedState saved{store::Checkpoint(save(straight.trainer()))};
  EXPECT_EQ(saved.step(), 3);
  load_checkpoint(saved, loaded.trainer());
  EXPECT_TRUE(loaded.trainer().state == straight.trainer().state);
  take_steps(straight.trainer(), 2);
  take_steps(loaded.trainer(), 2);
  EXPECT_TRUE(at::equal(straight.trainer().arena.values(), loaded.trainer().arena.values()));
  const auto left = straight.trainer().optimizer.state();
  const auto right = loaded.trainer().optimizer.state();
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i)
    EXPECT_TRUE(at::equal(left[i].value, right[i].value)) << left[i].name;
}

INSTANTIATE_TEST_SUITE_P(Models, ResumeExactly,
                         testing::Values(std::vector<std::string>{}, kFamily),
                         [](const auto& info) { return info.index == 0 ? "Plain" : "Family"; });

// Any weight, any moment, the row of a token that no text holds.
TEST_F(CheckpointTest, NothingThatIsNotFiniteIsSaved) {
  run::Session session(run::prepare_small());
  Trainer& trainer = session.trainer();
  take_steps(trainer, 1);
  save(trainer);
  take_steps(trainer, 1);
  std::vector<at::Tensor> places;
  for (tensor::Parameter& parameter : trainer.arena.parameters())
    places.push_back(parameter.value.detach().view({-1}));
  for (auto& moment : trainer.optimizer.state()) places.push_back(moment.value.view({-1}));
  for (at::Tensor& place : places) {
    for (const float bad : {kNan, kInfinity, -kInfinity}) {
      if (place.scalar_type() != at::kFloat) continue;
      const float before = place[-1].item<float>();
      place[-1].fill_(bad);
      EXPECT_THROW(save(trainer), base::NonFinite);
      place[-1].fill_(before);
    }
  }
  const auto entries = store::list_checkpoints(folder_.path());
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].step, 1);
  save(trainer);
  EXPECT_EQ(store::list_checkpoints(folder_.path()).size(), 2u) << "it is the values, no more";
}

TEST_F(CheckpointTest, ABranchCarriesTheMomentsOfParametersThatKeepTheirRule) {
  run::Session base(run::prepare_small());
  take_steps(base.trainer(), 3);
  const SavedState saved{store::Checkpoint(save(base.trainer()))};
  // V keeps Muon, O goes to Adam, the rest keeps Adam under another name and rate.
  run::Session branch(run::prepare_small(
      {R"(optimizers.other={"rule":"adamw","lr":0.001})",
       R"(assign=[{"params":["v"],"optimizer":"muon"},{"params":["all"],"optimizer":"other"}])"}));
  const CarryOver carried = load_branch(saved, branch.trainer());
  EXPECT_TRUE(at::equal(branch.trainer().arena.find("model.embed_tokens.weight").value,
                        base.trainer().arena.find("model.embed_tokens.weight").value));
  EXPECT_EQ(with_state(carried.carried, "/momentum"),
            std::vector<std::string>{"model.layers.0.self_attn.v_proj.weight/momentum"});
  EXPECT_EQ(with_state(carried.fresh, "/exp_avg_sq"),
            std::vector<std::string>{"model.layers.0.self_attn.o_proj.weight/exp_avg_sq"});
  EXPECT_EQ(with_state(carried.dropped, "/momentum"),
            std::vector<std::string>{"model.layers.0.self_attn.o_proj.weight/momentum"});
  std::map<std::string, at::Tensor> before;
  for (const auto& moment : base.trainer().optimizer.state()) before[moment.name] = moment.value;
  for (const auto& moment : branch.trainer().optimizer.state()) {
    if (optim::is_age(moment.name)) continue;
    if (moment.name.find("o_proj") != std::string::npos) {
      EXPECT_EQ(moment.value.abs().sum().item<double>(), 0) << moment.name;
    } else {
      EXPECT_TRUE(at::equal(moment.value, before.at(moment.name))) << moment.name;
    }
  }
  EXPECT_EQ(branch.trainer().state.step, 3);
  EXPECT_EQ(branch.trainer().state.next_sample, 12);
  EXPECT_EQ(branch.trainer().state.best_step, -1);
  EXPECT_EQ(branch.trainer().state.metrics_bytes, 0);
}

// Muon, SGD and sign SGD call their moments alike and mean other things by them.
TEST_F(CheckpointTest, AMomentumIsNotCarriedToARuleThatMeansAnother) {
  run::Session base(run::prepare_small());
  take_steps(base.trainer(), 3);
  const SavedState saved{store::Checkpoint(save(base.trainer()))};
  for (const char* setting : {R"(optimizers.muon={"rule":"sgd","lr":0.1})",
                              R"(optimizers.muon={"rule":"muon","momentum_form":"average"})"}) {
    run::Session branch(run::prepare_small({setting}));
    const CarryOver carried = load_branch(saved, branch.trainer());
    EXPECT_TRUE(with_state(carried.carried, "/momentum").empty()) << setting;
    EXPECT_EQ(with_state(carried.fresh, "/momentum").size(), 2u) << setting;
  }
}

TEST_F(CheckpointTest, WeightsAloneBranchButDoNotResume) {
  run::Session base(run::prepare_small());
  take_steps(base.trainer(), 3);
  const SavedState saved{store::Checkpoint(save(base.trainer(), true))};
  EXPECT_FALSE(saved.has_optimizer_state());
  run::Session branch(run::prepare_small());
  EXPECT_TRUE(load_branch(saved, branch.trainer()).carried.empty());
  EXPECT_THROW(load_checkpoint(saved, branch.trainer()), base::Error);
}

}  // namespace
}  // namespace muonlab::train
