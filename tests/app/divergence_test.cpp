// Runs that diverge: none passes as finished, none leaves a checkpoint that no training goes on
// from.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "app/train_fixture.hpp"
#include "muonlab/record/history.hpp"
#include "muonlab/store/checkpoint.hpp"

namespace muonlab {
namespace {

using support::Result;
using support::run_program;
using support::slurp;

constexpr const char* kConstant = "schedule={\"kind\":\"constant\"}";

class Divergence : public support::TrainFixture {
 protected:
  Result train_fast(std::vector<std::string> more) {
    more.insert(more.end(),
                {"--set", kConstant, "--set", "train.clip=0", "--set", "probes.spectra=null"});
    return train(more);
  }
  record::History history() { return record::read_history(scratch_ / "runs/tiny/history.jsonl"); }
  std::string state() { return run_program(scratch_.path(), {"runs"}).out; }

  // The newest checkpoint as an earlier version could have saved it: whole, its hashes right, but
  // the last value of one of its files not a number.
  void put_nan_into(const std::string& file, int64_t step) {
    const std::string folder = scratch_ / "runs/tiny/checkpoints";
    auto files = support::tree(folder + "/" + store::checkpoint_name(step));
    store::CheckpointWriter writer(base::real_file_system(), folder, step);
    for (auto& [name, bytes] : files) {
      if (name == "manifest.json") continue;
      if (name == file) {
        const float nan = std::numeric_limits<float>::quiet_NaN();
        std::memcpy(bytes.data() + bytes.size() - sizeof nan, &nan, sizeof nan);
      }
      writer.add_file(name, bytes);
    }
    writer.commit();
  }
};

TEST_F(Divergence, ARunWhoseLastUpdateDivergesIsNotFinished) {
  const Result last = train_fast({"--set", "train.steps=1", "--set", "optimizers.adam.lr=1e30"});
  EXPECT_EQ(last.code, 3) << last.out << last.err;
  EXPECT_NE(last.err.find("step 1: validation loss"), std::string::npos) << last.err;
  EXPECT_EQ((last.out + last.err).find("-nan"), std::string::npos) << last.out << last.err;
  EXPECT_EQ(last.out.find("done"), std::string::npos) << last.out;
  EXPECT_NE(state().find("diverged"), std::string::npos) << state();
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "runs/tiny/checkpoints/step-00000001"));
  ASSERT_TRUE(history().end);
  EXPECT_EQ(history().end->outcome, record::RunOutcome::diverged);
}

// The only validation is the last one, and more than 8 kB of metrics come before it. Which update
// overflows depends on the processor's rounding, so a run that validates after each finds it.
TEST_F(Divergence, ACellThatDivergesAtItsEndIsNotFailedForEver) {
  std::ofstream(scratch_ / "decay.json") << R"({
    "threads": 1, "model": {"layers": 1, "width": 32, "heads": 2, "context": 32},
    "data": {"kind": "biographies", "m": 4, "tokenizer": {"kind": "byte"}},
    "optimizers": {"s": {"rule": "sgd", "lr": 1e-6, "momentum": 0}},
    "assign": [{"params": ["all"], "optimizer": "s"}], "train": {"steps": 95, "batch": 4},
    "eval": {"every": 0, "samples": 8}, "checkpoint": {"every": 0}})";
  const Result finder = run_program(
      scratch_.path(), {"train", "decay.json", "--run-dir", "finder", "--set", "eval.every=1",
                        "--set", "train.steps=200", "--set", "optimizers.s.decay=2.1e6"});
  const auto end = record::read_history(scratch_ / "finder/history.jsonl").end;
  ASSERT_TRUE(end) << finder.out << finder.err;
  const std::string step = std::to_string(end->step);
  ASSERT_NE(finder.err.find("step " + step + ": validation loss"), std::string::npos) << finder.err;

  std::ofstream(scratch_ / "cut.json")
      << R"({"extends": "decay.json", "train": {"steps": )" << step << "}}";
  std::ofstream(scratch_ / "sweep.json") << R"({"base": "cut.json", "seeds": [1],
    "axes": {"row": {"boom": {"optimizers.s.decay": 2.1e6}, "ok": {"optimizers.s.decay": 0}}},
    "compare": {"axis": "row", "baseline": "ok", "reference": "boom"}})";
  const Result first = run_program(scratch_.path(), {"sweep", "sweep.json"});
  EXPECT_NE(first.out.find("boom-s1  diverged at step " + step), std::string::npos)
      << first.out << first.err;
  EXPECT_EQ(first.out.find("failed"), std::string::npos) << first.out;
  const std::string metrics = scratch_ / "runs/sweep/cells/boom-s1/metrics.jsonl";
  EXPECT_GT(slurp(metrics).size(), 8192u);
  std::filesystem::remove_all(scratch_ / "runs/sweep/failures");  // earlier versions left none
  const Result again = run_program(scratch_.path(), {"sweep", "sweep.json"});
  EXPECT_NE(again.out.find("0 runs to do, 2 finished earlier"), std::string::npos) << again.out;
  EXPECT_EQ(again.out.find("failed"), std::string::npos) << again.out;
}

TEST_F(Divergence, WeightsThatAreNotFiniteAreNeverSaved) {
  const Result first =
      train_fast({"--set", "optimizers.adam.lr=1e39", "--set", "checkpoint.every=1"});
  EXPECT_EQ(first.code, 3) << first.out << first.err;
  EXPECT_NE(first.err.find("its update made values that are not finite, first in model."),
            std::string::npos)
      << first.err;
  EXPECT_NE(first.err.find("There is no good checkpoint"), std::string::npos) << first.err;
  EXPECT_TRUE(store::list_checkpoints(scratch_ / "runs/tiny/checkpoints").empty());
  EXPECT_EQ(train_fast({"--set", "train.steps=4"}).code, 0) << "a rate that is right starts over";
}

TEST_F(Divergence, ALossThatExplodesIsSaid) {
  const Result result = train_fast({"--set", "train.steps=3", "--set", "optimizers.adam.lr=100"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("warning: the final validation loss"), std::string::npos) << result.err;
  EXPECT_NE(slurp(scratch_ / "runs/tiny/log.txt").find("the loss exploded"), std::string::npos);
  ASSERT_TRUE(history().end);
  EXPECT_NE(history().end->warning, "");
  EXPECT_NE(state().find("loss above that of guessing"), std::string::npos) << state();
}

TEST_F(Divergence, NanInACheckpointIsRefusedWhereverItIsLoaded) {
  for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
    std::filesystem::remove_all(scratch_ / "runs");
    ASSERT_EQ(train_fast({"--set", "train.steps=8"}).code, 0);
    put_nan_into(file, 8);
    const std::string fault = std::string(file) + " holds values that are not finite";
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"eval", "runs/tiny@8"},
          {"sample", "runs/tiny@8"},
          {"train", "tiny.json", "--run-dir", "x", "--from", "runs/tiny@8"}}) {
      const Result result = run_program(scratch_.path(), command);
      EXPECT_EQ(result.code, 3) << result.out << result.err;
      EXPECT_NE(result.err.find(fault), std::string::npos) << result.err;
    }
    // The one before it is the newest good one.
    const Result resumed = train_fast({"--set", "train.steps=12"});
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_NE(resumed.err.find(fault), std::string::npos) << resumed.err;
    EXPECT_NE(resumed.out.find("resumes at step 4 "), std::string::npos) << resumed.out;
  }
}

}  // namespace
}  // namespace muonlab
