#include "muonlab/record/changes.hpp"

#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"

namespace muonlab::record {
namespace {

ChangeClass class_of(const std::string& path) {
  return classify_changes({{path, "1", "2"}}).at(0).kind;
}

TEST(Resume, EverySettingHasAClass) {
  for (const config::SettingRow& row : config::config_table()) {
    EXPECT_EQ(classify_changes({{row.path, "1", "2"}}).size(), 1u) << row.path;
  }
}

TEST(Resume, ClassesByPath) {
  for (const char* path : {"eval.every", "checkpoint.keep", "name", "threads", "train.micro_batch",
                           "kernels", "probes.spectra.every", "probes.spectra.params", "data.train",
                           "data.valid", "data.tokenizer", "data.tokenizer.path"}) {
    EXPECT_EQ(class_of(path), ChangeClass::safe) << path;
  }
  for (const char* path : {"train.steps", "train.tokens", "train.epochs"}) {
    EXPECT_EQ(class_of(path), ChangeClass::length) << path;
  }
  for (const char* path :
       {"train.batch", "train.clip", "schedule.warmup", "schedule", "optimizers.muon.lr",
        "optimizers.adam.schedule.kind", "optimizers.adam.decay", "optimizers.muon.momentum",
        "optimizers.muon.rule", "optimizers.adam.betas", "assign", "assign.0.params"}) {
    EXPECT_EQ(class_of(path), ChangeClass::training) << path;
  }
  for (const char* path :
       {"model.width", "seed", "data.m", "data.kind", "data.tokenizer.kind", "precision"}) {
    EXPECT_EQ(class_of(path), ChangeClass::refused) << path;
  }
}

TEST(Resume, ARunCanStandForAnotherWhereOnlyRoundingDiffers) {
  for (const char* path : {"name", "threads", "device", "kernels", "train.micro_batch",
                           "checkpoint.every", "build.commit"}) {
    EXPECT_TRUE(keeps_record(path)) << path;
    EXPECT_EQ(class_of(path), ChangeClass::safe) << path;
  }
  // Evaluations and probes leave the training alone, but their lines are part of what is recorded.
  for (const char* path :
       {"eval.samples", "probes.tail", "seed", "optimizers.adam.lr", "train.steps", "data.train"}) {
    EXPECT_FALSE(keeps_record(path)) << path;
  }
}

// A branch whose tensors differ is refused before anything of it is made.
TEST(Resume, WhatGivesAModelItsTensorsShapesItsWeights) {
  const auto model = [](const std::vector<std::string>& settings) {
    return config::parse_config(
               R"({"model": {"layers": 2, "vocabulary": 1024}, "train": {"steps": 1}})", "t",
               settings)
        .run;
  };
  const auto tensors = [](const config::RunConfig& run) {
    std::vector<std::pair<std::string, std::vector<int64_t>>> shapes;
    for (const config::ParameterSpec& spec : config::parameter_specs(run.model))
      shapes.emplace_back(spec.name, spec.shape);
    return shapes;
  };
  const config::RunConfig before = model({});
  int64_t num_other_tensors = 0, num_same_tensors = 0;
  for (const config::SettingRow& row : config::config_table()) {
    if (!row.path.starts_with("model.")) continue;
    for (const char* value : {"true", "false", "1", "2", "4", "96", "gain", "no_gain", "none",
                              "learned", "fixed", "all", "qkv", "relu2", "swiglu"}) {
      config::RunConfig after;
      try {
        after = model({row.path + "=" + value});
      } catch (const base::Error&) {  // no value of this setting
        continue;
      }
      const std::vector<config::Difference> differences = config::diff_configs(before, after);
      const bool shapes = std::any_of(differences.begin(), differences.end(), shapes_weights);
      const bool differ = tensors(before) != tensors(after);
      EXPECT_TRUE(shapes || !differ) << row.path << " " << value;
      (differ ? num_other_tensors : num_same_tensors) += !differences.empty();
    }
  }
  EXPECT_GE(num_other_tensors, 14);
  EXPECT_GE(num_same_tensors, 10);
  EXPECT_FALSE(shapes_weights({"model.embedding_norm", "\"none\"", "\"no_gain\""}));
}

TEST(Resume, DescribesAChangeWithBothValuesAndWhatItNeeds) {
  EXPECT_EQ(describe_changes(classify_changes({{"train.steps", "400", "800"}})),
            "changed  train.steps 400 -> 800 (changes the schedule's end: allowed)\n");
  EXPECT_EQ(describe_changes(classify_changes({{"model.width", "32", ""}})),
            "changed  model.width 32 -> (unset) (refused: needs a run of its own)\n");
  const std::vector<Change> rate = classify_changes({{"optimizers.adam.lr", "0.001", "0.002"}});
  EXPECT_EQ(describe_changes(rate),
            "changed  optimizers.adam.lr 0.001 -> 0.002 (changes the learning rate from here on: "
            "needs --allow-change)\n");
  EXPECT_EQ(describe_changes(rate, true),
            "changed  optimizers.adam.lr 0.001 -> 0.002 (changes the learning rate from here on: "
            "allowed by --allow-change)\n");
}

}  // namespace
}  // namespace muonlab::record
