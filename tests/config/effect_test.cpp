// A setting that can have no effect is a mistake where it was written, and dropped where it was
// inherited.
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "config/support.hpp"

namespace muonlab::config {
namespace {

// The muon optimizer m takes V and O, adam the rest.
std::string with_muon(const std::string& muon_fields, const std::string& more = "") {
  return minimal(
      R"("optimizers": {"m": {"rule": "muon")" + (muon_fields.empty() ? "" : ", " + muon_fields) +
      R"(}, "adam": {"rule": "adamw"}}, "assign": [{"params": ["vo"], "optimizer": "m"},)" +
      R"({"params": ["all"], "optimizer": "adam"}])" + more);
}

TEST(Effect, UselessSettingsInTheFileAreRefused) {
  expect_error(with_muon(R"("orthogonalizer": "svd", "steps": $6)"),
               "optimizers.m.steps: has no effect: an svd does not iterate");
  expect_error(with_muon(R"("orthogonalizer": "svd", "iteration": $"bf16")"),
               "optimizers.m.iteration: has no effect: an svd does not iterate");
  expect_error(with_muon(R"("momentum": 0, "nesterov": $true)"),
               "optimizers.m.nesterov: has no effect: momentum is 0");
  expect_error(with_muon(R"("momentum": 0, "momentum_form": $"average")"),
               "optimizers.m.momentum_form: has no effect: momentum is 0");
  expect_error(minimal(R"("optimizers": {"s": {"rule": "sgd", "momentum": 0, "nesterov": $true}})"),
               "optimizers.s.nesterov: has no effect: momentum is 0");
  expect_error(minimal(R"("model": {"init": {"depth_scaled": $true, "zero_output": true}})"),
               "model.init.depth_scaled: has no effect: zero_output starts o and ffn_out at zero");
  expect_error(minimal(R"("schedule": {"kind": "wsd", "decay_fraction": 0, "final": $0.1})"),
               "schedule.final: has no effect: decay_fraction is 0");
  expect_error(minimal(R"("checkpoint": {"every": 0, "keep": $5})"),
               "checkpoint.keep: has no effect: checkpoint.every is 0: only the end is saved");
  expect_error(minimal(R"("eval": {"every": 0}, "checkpoint": {"best": $true})"),
               "checkpoint.best: has no effect: eval.every is 0: only the end is evaluated");
  expect_error(minimal(R"("schedule": ${"kind": "linear"},
      "optimizers": {"adam": {"rule": "adamw", "schedule": {"kind": "cosine"}}})"),
               "schedule: has no effect: every optimizer has a schedule of its own");
  expect_error(R"({"device": "cpu", "train": {"steps": 100, "graph": $"off"}})",
               "train.graph: has no effect: device is cpu, and only a GPU has CUDA graphs");
  expect_error(R"({"kernels": "reference", "train": {"steps": 100, "graph": $"off"}})",
               "train.graph: has no effect: kernels are the reference, which is never recorded as "
               "CUDA graphs");
  EXPECT_EQ(errors(R"({"device": "cuda", "train": {"steps": 100, "graph": "off"}})"), Lines{});
  expect_error(minimal(R"("optimizers": {"adam": {"rule": "adamw"}, "spare": ${"rule": "sgd"}},
      "assign": [{"params": ["all"], "optimizer": "adam"}])"),
               "optimizers.spare: has no effect: no line of assign names it");
}

TEST(Effect, PerHeadNeedsHeads) {
  EXPECT_EQ(errors(with_muon(R"("per_head": true)")), Lines{});
  expect_error(with_muon(R"("per_head": $true)", R"(, "model": {"heads": 1})"),
               "optimizers.m.per_head: has no effect: there is one head");
  expect_error(
      minimal(
          R"("optimizers": {"m": {"rule": "muon", "per_head": $true}, "adam": {"rule": "adamw"}},
      "assign": [{"params": ["ffn"], "optimizer": "m"}, {"params": ["all"], "optimizer": "adam"}])"),
      "optimizers.m.per_head: has no effect: it updates no attention matrix");
}

TEST(Effect, ADefaultWrittenOutIsNoMistake) {
  EXPECT_EQ(errors(with_muon(R"("momentum": 0, "nesterov": false, "momentum_form": "sum")")),
            Lines{});
  EXPECT_EQ(errors(with_muon(R"("orthogonalizer": "svd", "iteration": "auto")")), Lines{});
}

TEST(Effect, UselessSettingsOnTheCommandLineAreRefused) {
  EXPECT_EQ(errors(with_muon(R"("orthogonalizer": "svd")"), {"optimizers.m.steps=6"}),
            Lines{"--set 1: optimizers.m.steps: has no effect: an svd does not iterate"});
  EXPECT_EQ(errors(with_muon(""), {"optimizers.spare={\"rule\": \"sgd\"}"}),
            Lines{"--set 1: optimizers.spare: has no effect: no line of assign names it"});
}

TEST(Effect, TheCommandLineOverridesTheFile) {
  const LoadedConfig loaded =
      parse_config(with_muon(R"("steps": 6)"), "c.json", {"optimizers.m.orthogonalizer=svd"});
  EXPECT_EQ(loaded.dropped, Lines{"optimizers.m.steps: an svd does not iterate"});
  EXPECT_EQ(std::get<MuonConfig>(loaded.run.optimizers.at("m")).steps, std::nullopt);

  const LoadedConfig tokens = parse_config(minimal(), "c.json", {"train.tokens=5000"});
  EXPECT_EQ(tokens.dropped, Lines{"train.steps: train.tokens gives the length"});
  EXPECT_EQ(tokens.run.train.tokens, 5000);
  EXPECT_EQ(tokens.run.train.steps, std::nullopt);
  EXPECT_EQ(
      errors(minimal(), {"train.tokens=5000", "train.epochs=2"}),
      Lines{"--set 2: train.epochs: train.tokens gives the length already; keep one of them"});
}

TEST(Effect, SweptSettingsAreDroppedAndListed) {
  const LoadedConfig loaded = parse_config(with_muon(R"("orthogonalizer": "svd")"), "c.json", {},
                                           {"optimizers.m.steps=6", "seed=4"});
  EXPECT_EQ(loaded.dropped, Lines{"optimizers.m.steps: an svd does not iterate"});
  EXPECT_EQ(loaded.run,
            parse_config(with_muon(R"("orthogonalizer": "svd")"), "c.json", {"seed=4"}).run)
      << "equal runs are recognized as equal";
}

TEST(Effect, InheritedSettingsAreDroppedAndListed) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("muonlab_effect_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "base.json") << R"({"train": {"steps": 90},
    "optimizers": {"muon": {"rule": "muon", "steps": 6, "nesterov": true}, "adam": {"rule": "adamw"}, "spare": {"rule": "sgd"}},
    "assign": [{"params": ["vo", "ffn_gate"], "optimizer": "muon"}, {"params": ["ffn_gate"], "optimizer": "spare"},
               {"params": ["all"], "optimizer": "adam"}]})";
  std::ofstream(folder / "mine.json") << R"({"extends": "base.json", "model": {"gated": false},
    "train": {"epochs": 2}, "optimizers": {"muon": {"momentum": 0, "orthogonalizer": "svd"}}})";
  const LoadedConfig loaded = load_config((folder / "mine.json").string());
  EXPECT_EQ(loaded.dropped,
            (Lines{"train.steps: train.epochs gives the length",
                   "assign[0].params[1]: \"ffn_gate\" matches no parameter of this model",
                   "assign[1].params[0]: \"ffn_gate\" matches no parameter of this model",
                   "optimizers.spare: no line of assign names it",
                   "optimizers.muon.steps: an svd does not iterate",
                   "optimizers.muon.nesterov: momentum is 0"}));
  EXPECT_EQ(loaded.run.assign, (std::vector<AssignConfig>{{{"vo"}, "muon"}, {{"all"}, "adam"}}));
  EXPECT_FALSE(loaded.run.optimizers.contains("spare"));

  std::ofstream(folder / "tuned.json")
      << R"({"extends": "mine.json", "optimizers": {"spare": {"lr": 1}}})";
  try {
    load_config((folder / "tuned.json").string());
    ADD_FAILURE() << "tuning an optimizer that nothing uses is a mistake";
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("optimizers.spare: has no effect"), std::string::npos)
        << e.what();
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace muonlab::config
