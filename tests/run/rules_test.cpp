// Every rule trains, and resumes exactly from its checkpoint, in this process.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "muonlab/train/evaluation.hpp"
#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"

namespace muonlab::train {
namespace {

struct Case {
  const char* name;
  const char* params;     // what the rule under test updates; adam has the rest
  const char* optimizer;  // its configuration
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

const std::vector<Case> kCases{
    {"adamw", "matrices", R"({"rule": "adamw", "lr": 0.003})"},
    {"sgd", "matrices", R"({"rule": "sgd", "lr": 0.1})"},
    {"signsgd", "matrices", R"({"rule": "signsgd", "lr": 0.003})"},
    {"lion", "all", R"({"rule": "lion", "lr": 0.003})"},
    {"muon", "matrices", R"({"rule": "muon", "lr": 0.02})"},
    {"muon_after", "matrices",
     R"({"rule": "muon", "lr": 0.02, "order": "after", "momentum_form": "average"})"},
    {"muon_none", "matrices", R"({"rule": "muon", "lr": 0.02, "order": "none"})"},
    {"muon_course", "matrices",
     R"({"rule": "muon", "lr": 0.02, "momentum_warmup": 3, "momentum_cooldown": 3, "per_head": true, "heads_per_group": 2})"},
    {"normuon", "matrices", R"({"rule": "normuon", "lr": 0.02, "axis": "longer"})"},
    {"adamuon", "matrices", R"({"rule": "adamuon", "lr": 0.01})"},
    {"dion2", "matrices", R"({"rule": "dion2", "lr": 0.02, "normalize": true})"},
    {"scion", "[\"matrices\", \"embed\", \"head\"]", R"({"rule": "scion", "lr": 0.001})"},
    {"soap", "matrices", R"({"rule": "soap", "lr": 0.003, "basis_every": 2})"},
    {"soap_polar", "matrices", R"({"rule": "soap", "lr": 0.02, "polar": true, "kl": true})"},
    {"ember", "[\"embed\", \"head\"]", R"({"rule": "ember", "lr": 0.01})"},
    {"hyperball", "matrices", R"({"rule": "muon", "lr": 0.03, "hyperball": true})"},
    {"cautious", "all",
     R"({"rule": "adamw", "lr": 0.01, "decay": 0.1, "cautious": true, "decay_form": "rate_squared", "floor": 0.001})"},
};

class EveryRule : public testing::TestWithParam<Case> {
 protected:
  static run::Prepared prepared(int64_t steps) {
    const std::string params = GetParam().params;
    const std::string list = params.front() == '[' ? params : "[\"" + params + "\"]";
    const std::string rest = params == "all" ? "" : R"(, {"params": ["all"], "optimizer": "adam"})";
    return run::prepare_small(
        {"optimizers=null",
         base::str(R"(optimizers={"rule":)", GetParam().optimizer,
                   params == "all" ? "" : R"(,"adam":{"rule":"adamw","lr":0.003})", "}"),
         base::str(R"(assign=[{"params":)", list, R"(,"optimizer":"rule"})", rest, "]"),
         base::str("train.steps=", steps)});
  }
  base::TemporaryFolder folder_;
};

TEST_P(EveryRule, TrainsBelowTheUntrainedLoss) {
  run::Session session(prepared(60));
  const double untrained = evaluate(session.trainer()).loss;
  for (int64_t step = 0; step < 60; ++step) train_step(session.trainer());
  EXPECT_LT(evaluate(session.trainer()).loss, untrained - 0.3);
}

TEST_P(EveryRule, GoesOnExactlyFromItsCheckpoint) {
  run::Session straight(prepared(6)), loaded(prepared(6));
  for (int64_t step = 0; step < 3; ++step) train_step(straight.trainer());
  const std::string path =
      save_checkpoint(straight.trainer(),
                      {base::real_file_system(), folder_.path(), straight.trainer().state.step});
  load_checkpoint(SavedState{store::Checkpoint(path)}, loaded.trainer());
  for (run::Session* session : {&straight, &loaded}) {
    for (int64_t step = 0; step < 3; ++step) train_step(session->trainer());
  }
  EXPECT_TRUE(at::equal(straight.trainer().arena.values(), loaded.trainer().arena.values()));
  const auto left = straight.trainer().optimizer.state(),
             right = loaded.trainer().optimizer.state();
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i)
    EXPECT_TRUE(at::equal(left[i].value, right[i].value)) << left[i].name;
}

INSTANTIATE_TEST_SUITE_P(All, EveryRule, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace muonlab::train
