// QK-clip on a model whose weights do not move otherwise.
#include "muonlab/train/qk_clip.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"

namespace muonlab::train {
namespace {

const std::vector<std::string> kStill{"optimizers.muon.lr=0", "optimizers.adam.lr=0",
                                      "train.micro_batch=4", "model.qk_norm=none"};

std::vector<std::string> with(std::vector<std::string> settings, const std::string& more) {
  settings.push_back(more);
  return settings;
}

// The largest logits of the first layer on tokens that are the same in every session.
at::Tensor logits(Trainer& trainer) {
  const at::Tensor tokens = at::arange(32, at::kLong).view({2, 16}) * 7 % 250;
  at::Tensor found;
  model::Observer observer;
  observer.head_logits = [&](int64_t layer, const at::Tensor& logits_h) {
    if (layer == 0) found = logits_h.clone();
  };
  trainer.model.observe(tokens, observer);
  return found;
}

at::Tensor clip(Trainer& trainer, int64_t expected) {
  QkClip qk_clip(trainer);
  qk_clip.see(at::arange(32, at::kLong).view({2, 16}) * 7 % 250);
  EXPECT_EQ(qk_clip.apply(), expected);
  trainer.model.weights_changed();
  return logits(trainer);
}

void grow(Trainer& trainer, const std::string& name, double factor) {
  const at::NoGradGuard no_grad;
  trainer.arena.find("model.layers.0.self_attn." + name + "_proj.weight").value.mul_(factor);
  trainer.model.weights_changed();
}

TEST(QkClip, BringsAHeadDownToTheThresholdAndLeavesOthersAlone) {
  run::Session session(run::prepare_small(with(kStill, "train.qk_clip=1")));
  Trainer& trainer = session.trainer();
  grow(trainer, "q", 60);
  grow(trainer, "k", 60);
  at::Tensor before = logits(trainer);
  const auto [low, place] = before.min(0);
  const double threshold = (low.item<double>() + before.max().item<double>()) / 2;
  run::Session again(run::prepare_small(with(kStill, base::str("train.qk_clip=", threshold))));
  grow(again.trainer(), "q", 60);
  grow(again.trainer(), "k", 60);
  const std::string q = "model.layers.0.self_attn.q_proj.weight";
  const int64_t below = place.item<int64_t>();
  const at::Tensor kept =
      again.trainer().arena.find(q).value.detach().view({2, 8, 16})[below].clone();
  const at::Tensor after = clip(again.trainer(), 1);
  EXPECT_NEAR(after[1 - below].item<double>() / threshold, 1.0, 1e-5);
  EXPECT_EQ(after[below].item<double>(), low.item<double>());
  EXPECT_TRUE(
      at::equal(again.trainer().arena.find(q).value.detach().view({2, 8, 16})[below], kept));
}

TEST(QkClip, ASharedKeyHeadFollowsItsLargestQuery) {
  run::Session session(
      run::prepare_small(with(with(kStill, "model.kv_heads=1"), "train.qk_clip=0.001")));
  grow(session.trainer(), "q", 60);
  grow(session.trainer(), "k", 60);
  const at::Tensor after = clip(session.trainer(), 2);
  EXPECT_NEAR(after.max().item<double>() / 0.001, 1.0, 1e-4);
}

TEST(QkClip, AStepClipsAndCounts) {
  run::Session on(run::prepare_small(with(kStill, "train.qk_clip=0.0001")));
  run::Session off(run::prepare_small(kStill));
  EXPECT_EQ(train_step(on.trainer()).clipped_heads, 2);
  EXPECT_EQ(train_step(off.trainer()).clipped_heads, -1);
  EXPECT_FALSE(at::equal(on.trainer().arena.values(), off.trainer().arena.values()));
}

}  // namespace
}  // namespace muonlab::train
