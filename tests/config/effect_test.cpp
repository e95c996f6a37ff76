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
  expect_error(
      R"({"train": {"steps": 100, "batch": 4, "micro_batch": 4, "reduction": $"exact"}})",
      "train.reduction: has no effect: the batch is one micro-batch, so nothing is summed");
  expect_error(minimal(R"("optimizers": {"adam": {"rule": "adamw"}, "spare": ${"rule": "sgd"}},
      "assign": [{"params": ["all"], "optimizer": "adam"}])"),
               "optimizers.spare: has no effect: no line of assign names it");
}

TEST(Effect, OptionsOfUpdatesThatCanDoNothingAreRefused) {
  expect_error(with_muon(R"("cautious": $true)"),
               "optimizers.m.cautious: has no effect: decay is 0");
  expect_error(with_muon(R"("decay_form": $"rate_squared")"),
               "optimizers.m.decay_form: has no effect: decay is 0");
  expect_error(with_muon(R"("hyperball": true, "decay": $0.1)"),
               "optimizers.m.decay: has no effect: hyperball keeps the norm of the weights");
  expect_error(with_muon(R"("hyperball": true, "floor": $0.1)"),
               "optimizers.m.floor: has no effect: hyperball gives every update the same norm");
  expect_error(with_muon(R"("hyperball": $true)", R"(, "model": {"init": {"zero_output": true}})"),
               "optimizers.m.hyperball: model.layers.0.self_attn.o_proj.weight starts at zero "
               "(model.init.zero_output), so there is no norm to keep");
  expect_error(with_muon(R"("order": "none", "nesterov": $true)"),
               "optimizers.m.nesterov: has no effect: order none keeps no momentum");
  expect_error(with_muon(R"("momentum": 0, "order": $"after")"),
               "optimizers.m.order: has no effect: momentum is 0");
  expect_error(with_muon(R"("momentum_start": $0.5)"),
               "optimizers.m.momentum_start: has no effect: momentum_warmup is 0");
}

TEST(Effect, QkClipNeedsScalesOfItsOwn) {
  expect_error(R"({"train": {"steps": 9, "qk_clip": $100}, "model": {"qk_norm": "no_gain"}})",
               "train.qk_clip: has no effect: qk_norm removes the scale of q and k");
  expect_error(R"({"train": {"steps": 9, "qk_clip": $100}, "optimizers":)"
               R"( {"adam": {"rule": "adamw", "hyperball": true}}, "assign":)"
               R"( [{"params": ["all"], "optimizer": "adam"}]})",
               "train.qk_clip: optimizers.adam.hyperball keeps the norm of "
               "model.layers.0.self_attn.q_proj.weight, which qk_clip would lower");
}

TEST(Effect, GroupsOfHeadsDivideTheHeads) {
  expect_error(with_muon(R"("heads_per_group": $2)"),
               "optimizers.m.heads_per_group: has no effect: per_head is false");
  expect_error(
      with_muon(R"("per_head": true, "heads_per_group": $3)", R"(, "model": {"heads": 4})"),
      "optimizers.m.heads_per_group: the model's 4 heads do not divide into groups of 3");
  expect_error(
      with_muon(R"("per_head": true, "heads_per_group": $4)",
                R"(, "model": {"heads": 4, "kv_heads": 2})"),
      "optimizers.m.heads_per_group: the model's 2 kv_heads do not divide into groups of 4");
}

// Runs from before a setting existed keep their resolved configuration.
TEST(Effect, YoungSettingsAreWrittenOnlyWhereTheyDiffer) {
  const std::string usual = dump_config(parse(with_muon("")));
  for (const char* name : {"order", "momentum_warmup", "heads_per_group", "decay_form", "cautious",
                           "hyperball", "floor", "power", "warmup_tokens"}) {
    EXPECT_EQ(usual.find("\"" + std::string(name) + "\""), std::string::npos) << name;
  }
  const std::string changed = dump_config(parse(
      with_muon(R"("order": "after", "decay": 0.1, "cautious": true, "momentum_warmup": 9)")));
  for (const char* text : {"\"order\": \"after\"", "\"cautious\": true", "\"momentum_warmup\": 9",
                           "\"momentum_start\": 0.85"}) {
    EXPECT_NE(changed.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(dump_config(parse(changed)), changed);
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
