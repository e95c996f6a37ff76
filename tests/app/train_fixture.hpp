// A small run in a scratch folder, and what its tests ask of two runs that must be equal.
#pragma once

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/program.hpp"

namespace muonlab::support {

inline constexpr const char* kTinyRun = R"({
  "name": "tiny", "threads": 1,
  "data": {"kind": "biographies", "m": 3, "tokenizer": {"kind": "byte"}},
  "model": {"layers": 2, "width": 32, "heads": 2, "kv_heads": 1, "context": 32, "qk_norm": "no_gain"},
  "optimizers": {"muon": {"rule": "muon", "lr": 0.02}, "adam": {"rule": "adamw", "lr": 0.003}},
  "assign": [{"params": ["vo", "ffn"], "optimizer": "muon"}, {"params": ["all"], "optimizer": "adam"}],
  "train": {"steps": 30, "batch": 4, "micro_batch": 2, "clip": 1.0},
  "schedule": {"kind": "cosine", "warmup": 5},
  "eval": {"every": 10, "samples": 8},
  "checkpoint": {"every": 4, "keep": 2},
  "probes": {"spectra": {"every": 3, "params": ["matrices", "head"]}}
})";

class TrainFixture : public ::testing::Test {
 protected:
  TrainFixture() : scratch_(::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::ofstream(scratch_ / "tiny.json") << kTinyRun;
  }
  Result train(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"train", "tiny.json"});
    return run_program(scratch_.path(), more);
  }
  std::string final_checkpoint(const std::string& run, const std::string& step = "00000030") {
    return scratch_ / (run + "/checkpoints/step-" + step);
  }
  void expect_equal_runs(const std::string& a, const std::string& b,
                         const std::string& step = "00000030") {
    for (const char* file : {"/metrics.jsonl", "/spectra.jsonl"}) {
      EXPECT_GT(slurp(scratch_ / (a + file)).size(), 100u);
      EXPECT_TRUE(slurp(scratch_ / (a + file)) == slurp(scratch_ / (b + file))) << file;
    }
    const auto left = tree(final_checkpoint(a, step)), right = tree(final_checkpoint(b, step));
    ASSERT_EQ(left.size(), right.size());
    ASSERT_GE(left.size(), 5u);
    for (size_t i = 0; i < left.size(); ++i) {
      EXPECT_EQ(left[i].first, right[i].first);
      EXPECT_TRUE(left[i].second == right[i].second) << left[i].first << " differs";
    }
  }
  // Kills the run at random moments, `kills` times, resuming each time, then lets it finish.
  void run_with_kills(const std::string& run_dir, int kills,
                      const std::vector<std::string>& settings, unsigned seed) {
    std::mt19937 random(seed);
    const std::string metrics = scratch_ / (run_dir + "/metrics.jsonl");
    for (int i = 0; i < kills; ++i) {
      std::vector<std::string> arguments{"train", "tiny.json", "--run-dir", run_dir};
      arguments.insert(arguments.end(), settings.begin(), settings.end());
      Process process(scratch_.path(), arguments);
      const std::string before = slurp(metrics);
      // Past start-up, then some random milliseconds into the steps.
      while (process.running() && slurp(metrics) == before)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 40000));
      process.signal(SIGKILL);
      process.wait();
    }
    std::vector<std::string> arguments{"--run-dir", run_dir};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    const Result last = train(arguments);
    ASSERT_EQ(last.code, 0) << last.err;
  }
  Scratch scratch_;
};

}  // namespace muonlab::support
