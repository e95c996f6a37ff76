#include "muonlab/record/run_record.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::record {
namespace {

TEST(RunRecord, ReadsAFolderAndKeepsTheLastFormOfAStep) {
  const base::TemporaryFolder folder;
  const std::string path = folder.path();
  const auto write = [&](const char* name, const std::string& text) {
    base::write_atomically(path + "/" + name, text);
  };
  write("resolved.json",
        config::dump_config(
            config::parse_config(R"({"name": "trial", "train": {"steps": 2}})", "t").run));
  write("plan.json", R"({"steps": 2, "tokens_per_step": 64, "num_parameters": 1000})");
  write("metrics.jsonl",
        "{\"step\":0,\"val_loss\":6.0,\"val_perplexity\":403.4,\"val_bits_per_byte\":3.0}\n"
        "{\"step\":1,\"tokens\":64,\"loss\":5.5,\"grad_norm\":1.0}\n"
        "{\"step\":1,\"tokens\":64,\"loss\":5.25,\"grad_norm\":1.5}\n"
        "{\"step\":2,\"tokens\":128,\"loss\":5.0,\"grad_norm\":0.5}\n"
        "{\"step\":2,\"val_loss\":5.1,\"val_perplexity\":164.0,\"val_bits_per_byte\":2.5,"
        "\"sets\":{\"code\":{\"val_loss\":4.5,\"val_bits_per_byte\":1.5}}}\n"
        "{\"step\":3,\"tok");
  write("timing.jsonl",
        "{\"step\":1,\"forward_s\":0.25,\"backward_s\":0.5,\"optimizer_s\":0.25,\"tokens_per_s\":"
        "64.0,"
        "\"peak_rss_mb\":100.0}\n");
  const RunRecord record = read_run(path);
  EXPECT_EQ(record.name, "trial");
  EXPECT_TRUE(record.finished());
  ASSERT_EQ(record.train.size(), 2u);
  EXPECT_EQ(record.train[0].loss, 5.25);
  EXPECT_EQ(record.train[1].tokens, 128);
  ASSERT_EQ(record.validations.size(), 2u);
  EXPECT_EQ(record.validations[1].loss, 5.1);
  EXPECT_TRUE(record.validations[0].sets.empty());
  ASSERT_EQ(record.validations[1].sets.size(), 1u);
  EXPECT_EQ(record.validations[1].sets.at("code").step, 2);
  EXPECT_EQ(record.validations[1].sets.at("code").loss, 4.5);
  EXPECT_EQ(record.validations[1].sets.at("code").bits_per_byte, 1.5);
  ASSERT_EQ(record.timing.size(), 1u);
  EXPECT_EQ(record.timing[0].seconds, 1.0);
  EXPECT_EQ(record.timing[0].optimizer_s, 0.25);
  EXPECT_EQ(record.num_parameters, 1000);
}

TEST(RunRecord, TokensAreCountedFromTheMetricsWhereTheBatchGrows) {
  RunRecord run;
  run.tokens_per_step = 300;  // of the last steps
  run.train = {{1, 100, 0, 0}, {2, 200, 0, 0}, {3, 500, 0, 0}, {5, 1100, 0, 0}};
  EXPECT_EQ(run.tokens_after(0), 0);
  EXPECT_EQ(run.tokens_after(2), 200);
  EXPECT_EQ(run.tokens_after(2.5), 350);
  EXPECT_EQ(run.tokens_after(4), 800) << "a step whose line is missing";
  EXPECT_EQ(run.tokens_after(5), 1100);
  run.train.clear();
  EXPECT_EQ(run.tokens_after(4), 1200) << "no metrics at all";
}

TEST(RunRecord, WhatIsNoRunIsNamed) {
  const base::TemporaryFolder folder;
  try {
    read_run(folder.path());
    FAIL() << "an empty folder was read as a run";
  } catch (const base::Error& error) {
    EXPECT_NE(std::string(error.what()).find("is not a run's folder"), std::string::npos);
  }
}

}  // namespace
}  // namespace muonlab::record
