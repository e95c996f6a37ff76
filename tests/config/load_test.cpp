// Layers: what a file extends, the file, and settings over it.
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "config/support.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {
namespace {

class Load : public testing::Test {
 protected:
  Load()
      : folder_(std::filesystem::temp_directory_path() /
                ("muonlab_load_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_ / "sub");
  }
  ~Load() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  Lines errors_of(const std::string& path, const std::vector<std::string>& settings = {}) {
    try {
      load_config(path, settings);
    } catch (const ConfigError& e) {
      Lines lines;
      for (const Problem& p : e.problems()) {
        std::string line = p.line();
        for (size_t i; (i = line.find(folder_.string() + "/")) != std::string::npos;) {
          line.erase(i, folder_.string().size() + 1);
        }
        lines.push_back(line);
      }
      return lines;
    }
    return {};
  }

  std::filesystem::path folder_;
};

TEST_F(Load, TheSmallestConfigIsFilledIn) {
  const RunConfig run = parse(minimal());
  EXPECT_EQ(run.name, "c");
  EXPECT_EQ(run.train.steps, 100);
  EXPECT_EQ(run.train.micro_batch, 8);
  EXPECT_EQ(run.model.kv_heads, 4);
  EXPECT_EQ(run.model.head_dim, 64);
  EXPECT_EQ(run.model.ffn_width, 683);
  EXPECT_EQ(run.model.vocabulary, 1024) << "the tokenizer's";
  EXPECT_GE(run.threads.value(), 1);
  EXPECT_EQ(run.assign.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<AdamWConfig>(run.optimizers.at("adam")));
}

TEST_F(Load, AMicroBatchMayBeLeftToTheProgram) {
  const RunConfig run = parse(minimal(), {"train.micro_batch=auto"});
  EXPECT_EQ(run.train.micro_batch, kAutomatic);
  const std::string dumped = dump_config(run);
  EXPECT_NE(dumped.find(R"("micro_batch": "auto")"), std::string::npos) << dumped;
  EXPECT_EQ(parse(dumped).train.micro_batch, kAutomatic);
  EXPECT_NE(parse(minimal()), run) << "the two are different configurations";
}

TEST_F(Load, DefaultsFollowTheOtherFields) {
  EXPECT_EQ(parse(R"({"train": {"steps": 1, "batch": 12}})").train.micro_batch, 6);
  EXPECT_EQ(parse(R"({"train": {"steps": 1, "batch": 11}})").train.micro_batch, 1);
  EXPECT_EQ(parse(minimal(R"("model": {"gated": false, "activation": "relu2"})")).model.ffn_width,
            1024);
  EXPECT_EQ(parse(minimal(R"("model": {"width": 384, "heads": 6})")).model.ffn_width, 1024);
  EXPECT_EQ(parse(minimal(R"("data": {"kind": "biographies", "tokenizer": {"kind": "byte"}})"))
                .model.vocabulary,
            257);
  EXPECT_EQ(parse(minimal(R"("data": {"kind": "shards", "train": ["a"], "valid": ["b"]})"))
                .model.vocabulary,
            std::nullopt)
      << "known only once the shards are open";
  const auto muon = [](const std::string& orthogonalizer) {
    const RunConfig run = parse(minimal(
        R"("optimizers": {"a": {"rule": "adamw"}, "m": {"rule": "muon", "orthogonalizer": ")" +
        orthogonalizer +
        R"("}}, "assign": [{"params": ["ffn"], "optimizer": "m"}, {"params": ["all"], "optimizer": "a"}])"));
    return std::get<MuonConfig>(run.optimizers.at("m")).steps;
  };
  EXPECT_EQ(muon("keller"), 5);
  EXPECT_EQ(muon("exact"), 10);
  EXPECT_EQ(muon("svd"), std::nullopt);
}

TEST_F(Load, ObjectsMergeArraysReplaceNullDeletes) {
  write(
      "base.json",
      R"({"train": {"steps": 5, "batch": 16, "clip": 2.0}, "seed": 7, "model": {"width": 64, "layers": 2},
                         "optimizers": {"adam": {"rule": "adamw", "lr": 0.5, "betas": [0.1, 0.2]}}})");
  const std::string path =
      write("mine.json", R"({"extends": "base.json", "train": {"batch": 4, "clip": null},
      "model": {"layers": 3}, "optimizers": {"adam": {"betas": [0.3, 0.4]}}})");
  const RunConfig run = load_config(path).run;
  EXPECT_EQ(run.train.steps, 5);
  EXPECT_EQ(run.train.batch, 4);
  EXPECT_EQ(run.train.clip, 0.0) << "null brings the default back";
  EXPECT_EQ(run.seed, 7);
  EXPECT_EQ(run.model.width, 64);
  EXPECT_EQ(run.model.layers, 3);
  const auto& adam = std::get<AdamWConfig>(run.optimizers.at("adam"));
  EXPECT_EQ(adam.lr, 0.5);
  EXPECT_EQ(adam.betas, (std::array<double, 2>{0.3, 0.4}));
  EXPECT_EQ(run.name, "mine");
}

TEST_F(Load, AnotherRuleOrKindDiscardsTheOldFields) {
  write("base.json",
        R"({"train": {"steps": 50}, "schedule": {"kind": "wsd", "warmup": 7, "decay_fraction": 0.5},
                         "optimizers": {"it": {"rule": "adamw", "lr": 0.5, "betas": [0.1, 0.2]}}})");
  const RunConfig run =
      load_config(write("mine.json", R"({"extends": "base.json", "schedule": {"kind": "linear"},
      "optimizers": {"it": {"rule": "sgd", "momentum": 0.5}}})"))
          .run;
  EXPECT_EQ(run.schedule, ScheduleConfig(LinearSchedule{}));
  EXPECT_EQ(std::get<SgdConfig>(run.optimizers.at("it")).lr, SgdConfig{}.lr);
  const RunConfig same =
      load_config(write("same.json",
                        R"({"extends": "base.json", "schedule": {"kind": "wsd", "warmup": 8}})"))
          .run;
  EXPECT_EQ(std::get<WsdSchedule>(same.schedule).decay_fraction, 0.5) << "the same kind keeps them";
}

TEST_F(Load, SettingsComeLastWhateverTheirOrder) {
  const std::string path = write(
      "c.json", R"({"train": {"steps": 50}, "schedule": {"kind": "wsd", "decay_fraction": 0.5}})");
  for (const auto& settings : {Lines{"schedule.kind=linear", "schedule.warmup=3"},
                               Lines{"schedule.warmup=3", "schedule.kind=linear"}}) {
    EXPECT_EQ(
        load_config(path, settings).run.schedule,
        ScheduleConfig(LinearSchedule{{.warmup = 3, .warmup_tokens = {}, .warmup_fraction = {}}}));
  }
  const RunConfig run =
      load_config(path, {"model.size=tiny", "model.layers=2", "optimizers.adam.lr=0.25", "seed=-3",
                         "name=0123", "optimizers.adam.betas=[0.5, 0.6]", "precision = bf16",
                         "eval={\"every\": 3}"})
          .run;
  EXPECT_EQ(run.model.width, 128);
  EXPECT_EQ(run.model.layers, 2);
  EXPECT_EQ(std::get<AdamWConfig>(run.optimizers.at("adam")).lr, 0.25)
      << "the default optimizer can be tuned";
  EXPECT_EQ(std::get<AdamWConfig>(run.optimizers.at("adam")).betas[1], 0.6);
  EXPECT_EQ(run.seed, -3);
  EXPECT_EQ(run.name, "0123") << "a name is text, whatever it looks like";
  EXPECT_EQ(run.eval.every, 3);
}

TEST_F(Load, SettingsReachIntoArrays) {
  const std::string text = minimal(R"("optimizers": {"a": {"rule": "adamw"}, "b": {"rule": "sgd"}},
      "assign": [{"params": ["ffn"], "optimizer": "a"}, {"params": ["all"], "optimizer": "b"}])");
  EXPECT_EQ(parse(text, {"assign.0.params=[\"vo\"]"}).assign[0].params, Lines{"vo"});
  EXPECT_EQ(parse(text, {"assign[0].params[0]=head"}).assign[0].params, Lines{"head"});
  EXPECT_EQ(errors(text, {"assign.2.params=[\"vo\"]"}),
            Lines{"--set 1: assign: \"2\" is no index; it has 2 entries, counted from 0"});
}

TEST_F(Load, SettingsAreNamedInErrors) {
  EXPECT_EQ(errors(minimal(), {"seed=1", "train.batch=0", "trian.batch=3", "train.steps.x=1"}),
            (Lines{"--set 2: train.batch: 0 is below the minimum 1",
                   "--set 3: unknown key \"trian\"; did you mean \"train\"?",
                   "--set 4: train.steps: is the number 100 and has no \"x\""}));
  EXPECT_EQ(errors(minimal(), {"batch"}),
            Lines{"--set 1: \"batch\" is no setting; write path=value, as in train.steps=100"});
  EXPECT_EQ(errors(minimal(), {"a..b=3"}),
            Lines{"--set 1: \"a..b\" has an empty step; write path=value, as in train.steps=100"});
  EXPECT_EQ(errors(minimal(), {"eval={\"every\": 3"}),
            Lines{"--set 1: eval: unexpected end of input; expected '}'"});
  EXPECT_EQ(errors(minimal(), {"optimizers.adam.lr=fast"}),
            Lines{"--set 1: optimizers.adam.lr: expected a number, got the string \"fast\""});
}

TEST_F(Load, ExtendsIsRelativeToItsFileAndChains) {
  write("sub/root.json", R"({"train": {"steps": 5}, "seed": 1, "eval": {"every": 9}})");
  write("sub/middle.json", R"({"extends": "root.json", "seed": 2, "eval": {"samples": 3}})");
  const RunConfig run =
      load_config(write("leaf.json", R"({"extends": "sub/middle.json", "eval": {"every": 4}})"))
          .run;
  EXPECT_EQ(run.seed, 2);
  EXPECT_EQ(run.eval, (EvalConfig{.every = 4, .samples = 3}));
}

TEST_F(Load, ExtendsRefusesCyclesAndMissingFiles) {
  write("b.json", "{\"extends\": \"a.json\"}");
  EXPECT_EQ(errors_of(write("a.json", "{\n \"extends\": \"b.json\"}")),
            Lines{"b.json:1:13: extends: \"a.json\" leads back to a.json (a.json -> b.json)"});
  EXPECT_EQ(errors_of(write("self.json", "{\"extends\": \"self.json\"}")).size(), 1u);
  const Lines missing = errors_of(write("m.json", "{\"extends\": \"gone.json\"}"));
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_TRUE(missing[0].starts_with("m.json:1:13: extends: ")) << missing[0];
  EXPECT_NE(missing[0].find("gone.json"), std::string::npos);
  EXPECT_EQ(errors_of(write("n.json", "{\"extends\": 3}")),
            Lines{"n.json:1:13: extends: expected a string, got the number 3"});
}

TEST_F(Load, PositionsSurviveMerging) {
  write("base.json",
        "{\n  \"model\": {\"layers\": 0},\n  \"optimizers\": {\"adam\": {\"rule\": \"adamw\", "
        "\"beta\": 1}}\n}");
  EXPECT_EQ(
      errors_of(write("mine.json", "{\"extends\": \"base.json\",\n \"train\": {\"batch\": -1}}"),
                {"seed=x"}),
      (Lines{"base.json:2:23: model.layers: 0 is below the minimum 1",
             "base.json:3:44: optimizers.adam: unknown key \"beta\" for the rule \"adamw\"; did "
             "you mean \"betas\"?",
             "mine.json:2:11: train: the length is missing; give one of steps, tokens, epochs, "
             "seconds",
             "mine.json:2:21: train.batch: -1 is below the minimum 1",
             "--set 1: seed: expected an integer, got the string \"x\""}));
}

TEST_F(Load, KeepsTheTextAsGiven) {
  const std::string text = "// a remark\n" + minimal();
  EXPECT_EQ(load_config(write("c.json", text)).source_text, text);
}

TEST_F(Load, TakesAShapeFromHuggingFaceRelativeToTheFile) {
  write(
      "sub/config.json",
      R"({"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 8,
      "num_key_value_heads": 2, "intermediate_size": 99, "vocab_size": 2000, "rms_norm_eps": 1e-6, "attention_bias": false})");
  write("sub/base.json", R"({"train": {"steps": 5}, "model": {"from": "config.json"}})");
  const ModelConfig m =
      load_config(
          write("c.json", R"({"extends": "sub/base.json", "model": {"layers": 2, "context": 32}})"))
          .run.model;
  EXPECT_EQ(m.width, 64);
  EXPECT_EQ(m.layers, 2) << "explicit fields override";
  EXPECT_EQ(m.kv_heads, 2);
  EXPECT_EQ(m.head_dim, 8);
  EXPECT_EQ(m.ffn_width, 99);
  EXPECT_EQ(m.vocabulary, 2000);
  EXPECT_EQ(m.norm_eps, 1e-6);
  EXPECT_EQ(m.context, 32);
  EXPECT_EQ(m.from, std::nullopt);
  write("sub/bad.json", "{\"model_type\": \"gpt2\"}");
  const Lines bad =
      errors_of(write("d.json", R"({"train": {"steps": 5}, "model": {"from": "sub/bad.json"}})"));
  ASSERT_FALSE(bad.empty());
  EXPECT_TRUE(bad[0].starts_with(
      "sub/bad.json:1:16: model_type: \"gpt2\" is not a model that muonlab computes"))
      << bad[0];
}

TEST_F(Load, ASizeOverridesTheShapeOfLowerLayersOnly) {
  const std::string text =
      minimal(R"("model": {"width": 64, "layers": 2, "context": 32, "tied": true})");
  const LoadedConfig loaded = parse_config(text, "c.json", {"model.size=14m", "model.heads=12"});
  EXPECT_EQ(loaded.run.model.width, 384);
  EXPECT_EQ(loaded.run.model.layers, 6);
  EXPECT_EQ(loaded.run.model.heads, 12);
  EXPECT_EQ(loaded.run.model.context, 32) << "no part of the shape";
  EXPECT_TRUE(loaded.run.model.tied);
  EXPECT_EQ(loaded.dropped, (Lines{"model.layers: model.size gives the shape",
                                   "model.width: model.size gives the shape"}));
  EXPECT_EQ(parse(minimal(R"("model": {"size": "14m", "width": 192})")).model.width, 192);
}

TEST_F(Load, ResolvesConfigurationsBuiltInCode) {
  ModelConfig model;
  model.size = "14m";
  model.layers = 3;
  model = resolve(model);
  EXPECT_EQ(model.width, 384);
  EXPECT_EQ(model.layers, 3);
  EXPECT_EQ(model.head_dim, 64);
  EXPECT_EQ(resolve(model), model);

  RunConfig run;
  run.train.steps = 3;
  run = resolve(run);
  EXPECT_EQ(run.model.vocabulary, 1024);
  EXPECT_EQ(resolve(run), run);
  run.train.micro_batch = 7;
  EXPECT_THROW(resolve(run), ConfigError);
}

// Runs from before eval.windows was a setting validated on the first windows.
TEST(StoredConfig, WithoutEvalWindowsItMeansTheFirst) {
  const std::string old = R"({"train": {"steps": 5}, "eval": {"samples": 3}})";
  EXPECT_EQ(parse_config(old, "c.json").run.eval.windows, std::nullopt);
  EXPECT_EQ(parse_stored_config(old, "resolved.json").run.eval.windows, EvalWindows::first);
  const std::string now = R"({"train": {"steps": 5}, "eval": {"windows": "spread"}})";
  EXPECT_EQ(parse_stored_config(now, "resolved.json").run.eval.windows, EvalWindows::spread);
}

// Runs from before train.reduction was a setting added their micro-batches one after another.
TEST(StoredConfig, WithoutAReductionItMeansTheOrderOfBefore) {
  const auto stored = [](const char* text) {
    return parse_stored_config(text, "resolved.json").run.train.reduction;
  };
  EXPECT_EQ(stored(R"({"train": {"steps": 5, "batch": 8, "micro_batch": 2}})"), Reduction::fast);
  EXPECT_EQ(stored(R"({"train": {"steps": 5, "batch": 8, "micro_batch": 8}})"), std::nullopt)
      << "nothing is summed";
  EXPECT_EQ(
      stored(R"({"train": {"steps": 5, "batch": 8, "micro_batch": 2, "reduction": "exact"}})"),
      Reduction::exact);
  const char* fresh = R"({"train": {"steps": 5, "batch": 8, "micro_batch": 2}})";
  EXPECT_EQ(parse_config(fresh, "c.json").run.train.reduction, std::nullopt);
}

}  // namespace
}  // namespace muonlab::config
