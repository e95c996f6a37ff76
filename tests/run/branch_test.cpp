// What a branch carries over, and how young moments are corrected: AdamW against a simulation in
// double.
#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/tensor/bytes.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "muonlab/train/step.hpp"

namespace muonlab::run {
namespace {

constexpr const char* kStart = R"({
  "name": "branch", "threads": 1, "device": "cpu",
  "data": {"kind": "biographies", "m": 3, "questions": 2, "tokenizer": {"kind": "byte"}},
  "model": {"layers": 2, "width": 16, "heads": 2, "context": 32},
  "train": {"steps": 12, "batch": 4}, "checkpoint": {"every": 0}, "eval": {"every": 0},
  "optimizers": {"muon": {"rule": "muon", "lr": 0.02},
                 "adam": {"rule": "adamw", "lr": 0.003, "betas": [0.9, 0.99], "decay": 0.1}},
)";
// The run: Muon on V, O and the feed-forward, AdamW on the rest.
const std::string kParent = std::string(kStart) +
                            R"("assign": [{"params": ["vo", "ffn"], "optimizer": "muon"},
                                          {"params": ["all"], "optimizer": "adam"}]})";
// The branch: V and O change to AdamW, Q to Muon, the rest keep their optimizers. The shapes of Q,
// K, V and O are equal, so that old and new moments lie side by side in one range.
const std::string kBranch = std::string(kStart) +
                            R"("assign": [{"params": ["q", "ffn"], "optimizer": "muon"},
                                          {"params": ["all"], "optimizer": "adam"}]})";

Prepared prepared(const std::string& config) {
  return prepare(config::parse_config(config, "branch_test.json").run);
}

// Optimizer state by name.
std::map<std::string, at::Tensor> state_of(train::Trainer& trainer) {
  std::map<std::string, at::Tensor> state;
  for (const tensor::NamedTensor& tensor : trainer.optimizer.state())
    state[tensor.name] = tensor.value.clone();
  return state;
}

// AdamW of one parameter in double.
struct Simulated {
  at::Tensor m, v;
  int64_t age = 0;

  at::Tensor step(const at::Tensor& w, const at::Tensor& g) {
    ++age;
    m = 0.9 * m + 0.1 * g;
    v = 0.99 * v + 0.01 * g * g;
    const double t = static_cast<double>(age);
    const at::Tensor first = m / (1 - std::pow(0.9, t));
    const at::Tensor second = v / (1 - std::pow(0.99, t));
    return w * (1 - 0.003 * 0.1) - 0.003 * first / (second.sqrt() + 1e-8);
  }
};

class Branch : public testing::Test {
 protected:
  void SetUp() override { tensor::start_runtime(1); }

  train::SavedState save(Session& session, const std::string& name) {
    return train::SavedState(store::Checkpoint(train::save_checkpoint(
        session.trainer(), store::CheckpointWriter(base::real_file_system(), folder_ / name,
                                                   session.trainer().state.step))));
  }

  // The same checkpoint as versions before ages were kept wrote it.
  train::SavedState without_ages(const train::SavedState& saved, const std::string& name) {
    const store::Checkpoint& from = saved.checkpoint;
    store::CheckpointWriter writer(base::real_file_system(), folder_ / name, from.step());
    for (const std::string& file : from.names()) {
      if (file != "optimizer.safetensors") {
        writer.add_file(file, from.read(file));
        continue;
      }
      const store::SafetensorsFile stored = from.safetensors(file);
      std::vector<store::TensorView> kept = stored.tensors();
      EXPECT_GT(std::erase_if(kept, [](const auto& t) { return optim::is_age(t.name); }), 0u);
      writer.add_safetensors(file, kept);
    }
    return train::SavedState(store::Checkpoint(writer.commit()));
  }

  train::SavedState parent_at(int64_t step) {
    Session session(prepared(kParent));
    while (session.trainer().state.step < step) train::train_step(session.trainer());
    return save(session, "parent");
  }

  // Steps to the end, each against the simulation, which starts from the state as loaded.
  static void follow(train::Trainer& trainer, const std::map<std::string, int64_t>& ages) {
    std::map<std::string, Simulated> simulated;
    const std::map<std::string, at::Tensor> state = state_of(trainer);
    for (const auto& [name, age] : ages) {
      ASSERT_TRUE(state.contains(name + "/age")) << name;
      EXPECT_EQ(state.at(name + "/age").item<int64_t>(), age) << name;
      simulated[name] = {state.at(name + "/exp_avg").to(at::kDouble),
                         state.at(name + "/exp_avg_sq").to(at::kDouble), age};
      EXPECT_EQ(state.at(name + "/exp_avg").abs().max().item<float>() > 0, age > 0) << name;
    }
    while (trainer.state.step < trainer.plan.steps) {
      std::map<std::string, at::Tensor> before;
      for (const auto& [name, unused] : ages)
        before[name] = trainer.arena.find(name).value.detach().to(at::kDouble, false, true);
      train::train_step(trainer);
      for (auto& [name, adam] : simulated) {
        const tensor::Parameter& parameter = trainer.arena.find(name);
        const at::Tensor expected = adam.step(before[name], parameter.grad.to(at::kDouble));
        const at::Tensor made = parameter.value.detach().to(at::kDouble);
        const double wrong = (made - expected).abs().max().item<double>();
        EXPECT_LT(wrong, 0.003 * 2e-3 + 2e-7) << name << " step " << trainer.state.step;
      }
    }
  }

  static std::string layer(int64_t i, const char* name) {
    return base::str("model.layers.", i, ".self_attn.", name, "_proj.weight");
  }

  const base::TemporaryFolder folder_;
};

TEST_F(Branch, FreshMomentsAreCorrectedByTheirOwnAge) {
  const train::SavedState parent = parent_at(6);
  Session session(prepared(kBranch));
  const train::CarryOver carried = train::load_branch(parent, session.trainer());
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  EXPECT_TRUE(has(carried.carried, layer(0, "k") + "/exp_avg"));
  EXPECT_TRUE(has(carried.carried, "model.layers.1.mlp.up_proj.weight/momentum"));
  EXPECT_TRUE(has(carried.fresh, layer(1, "v") + "/exp_avg_sq"));
  EXPECT_TRUE(has(carried.fresh, layer(1, "q") + "/momentum"));
  EXPECT_TRUE(has(carried.dropped, layer(1, "q") + "/exp_avg"));
  for (const auto* names : {&carried.carried, &carried.fresh, &carried.dropped}) {
    for (const std::string& name : *names) EXPECT_FALSE(optim::is_age(name)) << name;
  }
  follow(session.trainer(), {{layer(0, "k"), 6},
                             {layer(0, "v"), 0},
                             {layer(0, "o"), 0},
                             {layer(1, "k"), 6},
                             {layer(1, "v"), 0},
                             {"model.embed_tokens.weight", 6},
                             {"model.norm.weight", 6}});
}

TEST_F(Branch, AgesSurviveACheckpointAndAnotherBranch) {
  const train::SavedState parent = parent_at(6);
  Session straight(prepared(kBranch));
  train::load_branch(parent, straight.trainer());
  for (int i = 0; i < 2; ++i) train::train_step(straight.trainer());
  const train::SavedState middle = save(straight, "middle");
  while (straight.trainer().state.step < 12) train::train_step(straight.trainer());

  Session resumed(prepared(kBranch));
  train::load_checkpoint(middle, resumed.trainer());
  while (resumed.trainer().state.step < 12) train::train_step(resumed.trainer());
  EXPECT_TRUE(at::equal(straight.trainer().arena.values(), resumed.trainer().arena.values()));
  const auto expected = state_of(straight.trainer());
  for (const auto& [name, value] : state_of(resumed.trainer()))
    EXPECT_TRUE(at::equal(value, expected.at(name))) << name;

  // Back to the first assignment: V had AdamW for two updates, Q has it anew.
  Session again(prepared(kParent));
  train::load_branch(middle, again.trainer());
  follow(again.trainer(), {{layer(0, "k"), 8}, {layer(0, "q"), 0}});
  Session kept(prepared(kBranch));
  train::load_branch(middle, kept.trainer());
  follow(kept.trainer(), {{layer(0, "k"), 8}, {layer(0, "v"), 2}});
}

TEST_F(Branch, WithoutOptimizerStateEverythingIsFresh) {
  Session weights(prepared(kParent));
  while (weights.trainer().state.step < 6) train::train_step(weights.trainer());
  const train::SavedState parent{store::Checkpoint(train::save_checkpoint(
      weights.trainer(), store::CheckpointWriter(base::real_file_system(), folder_ / "weights", 6),
      true))};
  Session session(prepared(kBranch));
  EXPECT_TRUE(train::load_branch(parent, session.trainer()).carried.empty());
  follow(session.trainer(), {{layer(0, "k"), 0}, {"model.norm.weight", 0}});
}

TEST_F(Branch, InCheckpointsWithoutAgesTheAgeIsTheRunsStep) {
  const train::SavedState parent = without_ages(parent_at(6), "old");
  Session branch(prepared(kBranch));
  train::load_branch(parent, branch.trainer());
  follow(branch.trainer(), {{layer(0, "k"), 6}, {layer(0, "v"), 0}, {"model.norm.weight", 6}});

  Session straight(prepared(kParent)), resumed(prepared(kParent));
  train::load_checkpoint(parent, resumed.trainer());
  while (straight.trainer().state.step < 12) train::train_step(straight.trainer());
  while (resumed.trainer().state.step < 12) train::train_step(resumed.trainer());
  EXPECT_TRUE(at::equal(straight.trainer().arena.values(), resumed.trainer().arena.values()));
}

TEST_F(Branch, AnAgeThatCannotBeIsRefused) {
  const train::SavedState saved = parent_at(2);
  const store::Checkpoint& good = saved.checkpoint;
  for (const int64_t wrong : {int64_t{-1}, int64_t{3}}) {
    store::CheckpointWriter writer(base::real_file_system(), folder_ / "bad", good.step());
    const at::Tensor value = at::full({}, wrong, at::kLong);
    for (const std::string& file : good.names()) {
      if (file != "optimizer.safetensors") {
        writer.add_file(file, good.read(file));
        continue;
      }
      const store::SafetensorsFile stored = good.safetensors(file);
      std::vector<store::TensorView> tensors = stored.tensors();
      for (store::TensorView& tensor : tensors) {
        if (tensor.name == "model.norm.weight/age")
          tensor = tensor::store_views({{tensor.name, value}}).front();
      }
      writer.add_safetensors(file, tensors);
    }
    const train::SavedState bad{store::Checkpoint(writer.commit())};
    Session session(prepared(kParent));
    try {
      train::load_checkpoint(bad, session.trainer());
      FAIL() << wrong;
    } catch (const base::Error& error) {
      EXPECT_NE(std::string(error.what()).find("model.norm.weight/age"), std::string::npos)
          << error.what();
    }
    EXPECT_THROW(train::load_branch(bad, session.trainer()), base::Error);
  }
}

}  // namespace
}  // namespace muonlab::run
