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
  for (const char* path :
       {"train.steps", "train.batch", "schedule.warmup", "schedule", "optimizers.muon.lr",
        "optimizers.adam.schedule.kind", "optimizers.adam.decay"}) {
    EXPECT_EQ(class_of(path), ChangeClass::schedule) << path;
  }
  for (const char* path : {"model.width", "seed", "data.m", "data.kind", "data.tokenizer.kind",
                           "optimizers.muon.momentum", "optimizers.muon.rule", "assign",
                           "assign.0.params", "precision", "optimizers.adam.betas"}) {
    EXPECT_EQ(class_of(path), ChangeClass::refused) << path;
  }
}

TEST(Resume, DescribesAChangeWithBothValues) {
  EXPECT_EQ(describe_changes(classify_changes({{"train.steps", "400", "800"}})),
            "changed  train.steps 400 -> 800 (changes the schedule's end: allowed)\n");
  EXPECT_EQ(describe_changes(classify_changes({{"model.width", "32", ""}})),
            "changed  model.width 32 -> (unset) (refused: needs a run of its own)\n");
}

}  // namespace
}  // namespace muonlab::record
