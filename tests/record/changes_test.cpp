#include "muonlab/record/changes.hpp"

#include <gtest/gtest.h>

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
