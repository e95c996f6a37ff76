// Runs that are interrupted, killed, damaged, resumed and branched.
#include <gtest/gtest.h>

#include "app/train_fixture.hpp"

namespace muonlab {
namespace {

using support::Process;
using support::Result;
using support::run_program;
using support::Scratch;
using support::slurp;

using ResumeCommand = support::TrainFixture;

TEST_F(ResumeCommand, KilledAndResumedEqualsStraight) {
  std::vector<std::string> settings{"--set", "optimizers.muon.spectrum=random"};
  for (const char* what : {"gradients", "momentum", "updates", "heads", "attention", "inputs"}) {
    settings.insert(settings.end(), {"--set", std::string("probes.spectra.") + what + "=true"});
  }
  std::vector<std::string> straight{"--run-dir", "straight"};
  straight.insert(straight.end(), settings.begin(), settings.end());
  ASSERT_EQ(train(straight).code, 0);
  run_with_kills("killed", 4, settings, 7);
  expect_equal_runs("straight", "killed");
  const std::string spectra = slurp(scratch_ / "killed/spectra.jsonl");
  for (const char* of : {"weight", "gradient", "momentum", "update", "input", "attention"}) {
    EXPECT_NE(spectra.find(std::string("\"of\":\"") + of + "\""), std::string::npos) << of;
  }
}

TEST_F(ResumeCommand, InterruptSavesSaysHowToResumeAndResumesExactly) {
  ASSERT_EQ(train({"--run-dir", "straight"}).code, 0);
  Process process(scratch_.path(), {"train", "tiny.json", "--run-dir", "stopped"});
  ASSERT_TRUE(process.wait_for(scratch_ / "stopped/metrics.jsonl", "\"step\":3,"));
  process.signal(SIGINT);
  const Result stopped = process.wait();
  EXPECT_EQ(stopped.code, 130);
  EXPECT_NE(stopped.out.find("Resume with: muonlab train --resume stopped"), std::string::npos)
      << stopped.out;
  const Result resumed = run_program(scratch_.path(), {"train", "--resume", "stopped"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.out.find("resumes at step"), std::string::npos);
  expect_equal_runs("straight", "stopped");
}

TEST_F(ResumeCommand, ADamagedCheckpointIsNamedAndTheOneBeforeItUsed) {
  ASSERT_EQ(train({"--run-dir", "straight"}).code, 0);
  ASSERT_EQ(train({"--run-dir", "hurt"}).code, 0);
  {
    std::fstream file(final_checkpoint("hurt") + "/model.safetensors",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2000);
    file.put('x');
    file.put('y');
  }
  const Result resumed = train({"--run-dir", "hurt"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("model.safetensors does not match its hash"), std::string::npos)
      << resumed.err;
  EXPECT_NE(resumed.out.find("resumes at step 28"), std::string::npos) << resumed.out;
  expect_equal_runs("straight", "hurt");

  for (const char* step : {"00000028", "00000030"}) {
    std::filesystem::resize_file(final_checkpoint("hurt", step) + "/model.safetensors", 100);
  }
  const Result refused = train({"--run-dir", "hurt"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_TRUE(std::filesystem::exists(final_checkpoint("hurt"))) << "nothing is removed";
}

TEST_F(ResumeCommand, ARunKeepsTheValidationWindowsThatItBeganWith) {
  ASSERT_EQ(train({"--set", "train.steps=8", "--set", "eval.windows=first"}).code, 0);
  const Result longer = train({"--set", "train.steps=12"});
  ASSERT_EQ(longer.code, 0) << longer.err;
  EXPECT_EQ(longer.out.find("eval.windows"), std::string::npos) << longer.out;
  const auto resolved = [&] { return slurp(scratch_ / "runs/tiny/resolved.json"); };
  EXPECT_NE(resolved().find("\"windows\": \"first\""), std::string::npos) << resolved();
  const Result spread = train({"--set", "train.steps=16", "--set", "eval.windows=spread"});
  ASSERT_EQ(spread.code, 0) << spread.err;
  EXPECT_NE(
      spread.out.find("changed  eval.windows \"first\" -> \"spread\" (validation losses before "
                      "and after do not compare)"),
      std::string::npos)
      << spread.out;
  EXPECT_NE(resolved().find("\"windows\": \"spread\""), std::string::npos) << resolved();
}

// A branch is a new run, which has the windows of new runs unless it names others.
TEST_F(ResumeCommand, ABranchOfARunOnTheFirstWindowsSpreadsThem) {
  ASSERT_EQ(train({"--set", "train.steps=8", "--set", "eval.windows=first"}).code, 0);
  const auto branch = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.begin(),
                {"--run-dir", name, "--from", "runs/tiny@8", "--set", "train.steps=12"});
    EXPECT_EQ(train(more).code, 0);
    return slurp(scratch_ / (name + "/resolved.json"));
  };
  EXPECT_NE(branch("a", {}).find("\"windows\": \"spread\""), std::string::npos);
  EXPECT_NE(branch("b", {"--set", "eval.windows=first"}).find("\"windows\": \"first\""),
            std::string::npos);
  const Result compared = run_program(scratch_.path(), {"compare", "runs/tiny", "a"});
  EXPECT_NE(compared.out.find("eval.windows"), std::string::npos) << compared.out;
}

TEST_F(ResumeCommand, AProbeTurnedOnOrOffLaterKeepsItsLines) {
  ASSERT_EQ(train({"--set", "train.steps=8", "--set", "probes.spectra=null"}).code, 0);
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "runs/tiny/spectra.jsonl"));
  const Result on = train({"--set", "train.steps=16", "--set", "probes.spectra.every=4"});
  ASSERT_EQ(on.code, 0) << on.err;
  const std::string lines = slurp(scratch_ / "runs/tiny/spectra.jsonl");
  EXPECT_EQ(lines.find("{\"step\":12,"), 0u);
  ASSERT_EQ(train({"--set", "train.steps=20", "--set", "probes.spectra=null"}).code, 0);
  ASSERT_EQ(train({"--set", "train.steps=24", "--set", "probes.spectra.every=4"}).code, 0);
  const std::string more = slurp(scratch_ / "runs/tiny/spectra.jsonl");
  EXPECT_EQ(more.find(lines), 0u);
  EXPECT_EQ(more.find("{\"step\":24,"), lines.size());
}

TEST_F(ResumeCommand, ASpectraFileThatWasCutShortStopsTheResume) {
  ASSERT_EQ(train({"--set", "train.steps=8"}).code, 0);
  std::filesystem::resize_file(scratch_ / "runs/tiny/spectra.jsonl", 100);
  const Result cut = train({"--set", "train.steps=12"});
  EXPECT_EQ(cut.code, 1);
  EXPECT_NE(
      cut.err.find(
          "runs/tiny/spectra.jsonl: holds 100 bytes, but the checkpoint was saved when it held"),
      std::string::npos)
      << cut.err;
}

TEST_F(ResumeCommand, ABranchCarriesOverWhatFits) {
  ASSERT_EQ(train({"--run-dir", "base", "--set", "checkpoint.permanent_every=8"}).code, 0);
  const Result branch = train(
      {"--run-dir", "branch", "--from", "base@16", "--set",
       R"(assign=[{"params":["vo"],"optimizer":"muon"},{"params":["all"],"optimizer":"adam"}])"});
  ASSERT_EQ(branch.code, 0) << branch.err;
  EXPECT_NE(branch.out.find("carried over"), std::string::npos) << branch.out;
  const std::string origin = slurp(scratch_ / "branch/origin.json");
  EXPECT_NE(origin.find("v_proj.weight/"), std::string::npos);
  EXPECT_EQ(slurp(scratch_ / "branch/metrics.jsonl").find("{\"step\":17,"), 0u);
  EXPECT_EQ(slurp(scratch_ / "branch/spectra.jsonl").find("{\"step\":18,"), 0u);
  EXPECT_EQ(
      run_program(scratch_.path(), {"train", "tiny.json", "--run-dir", "x", "--from", "base@17"})
          .code,
      1);
}

TEST_F(ResumeCommand, ABranchThatCannotBeLeavesNoFolder) {
  ASSERT_EQ(train({"--run-dir", "base"}).code, 0);
  const Result wider = train({"--run-dir", "wide", "--from", "base@28", "--set", "model.width=48"});
  EXPECT_EQ(wider.code, 1);
  EXPECT_NE(wider.err.find("model.width 32 -> 48"), std::string::npos) << wider.err;
  const Result past = train({"--run-dir", "past", "--from", "base@28", "--set", "train.steps=28"});
  EXPECT_EQ(past.code, 1);
  EXPECT_NE(past.err.find("base/checkpoints/step-00000028: is at step 28, and train.steps is 28"),
            std::string::npos)
      << past.err;
  EXPECT_EQ(train({"--run-dir", "none", "--from", "base@17"}).code, 1);
  ASSERT_EQ(
      train({"--run-dir", "biased", "--set", "model.ffn_bias=true", "--set", "train.steps=8"}).code,
      0);
  const Result biased = train({"--run-dir", "plain", "--from", "biased@8"});
  EXPECT_EQ(biased.code, 1);
  EXPECT_NE(biased.err.find("its weights do not fit this model: model.ffn_bias true -> (unset)"),
            std::string::npos)
      << biased.err;
  // What only the loading of the weights finds.
  const std::string weights = "init={\"from\":\"" + final_checkpoint("biased", "00000008") + "\"}";
  EXPECT_EQ(train({"--run-dir", "unfit", "--set", weights, "--set", "model.width=48"}).code, 1);
  for (const char* run : {"wide", "past", "none", "plain", "unfit"})
    EXPECT_FALSE(std::filesystem::exists(scratch_ / run)) << run;
}

TEST_F(ResumeCommand, FromIsNotPassedOverInSilenceWhereTheRunIsThereAlready) {
  ASSERT_EQ(train({"--run-dir", "base"}).code, 0);
  ASSERT_EQ(train({"--run-dir", "other"}).code, 0);
  const Result other = train({"--run-dir", "other", "--from", "base@28"});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("other: has checkpoints of its own and was not branched from base@28"),
            std::string::npos)
      << other.err;
  ASSERT_EQ(train({"--run-dir", "branch", "--from", "base@28"}).code, 0);
  EXPECT_EQ(train({"--run-dir", "branch", "--from", "base@28"}).code, 0)
      << "the same command again";
  EXPECT_EQ(train({"--run-dir", "branch", "--from", "base@30"}).code, 1);
}

TEST_F(ResumeCommand, FewerStepsThanARunHasDoneLeaveItsRecordAlone) {
  ASSERT_EQ(train({"--set", "train.steps=12"}).code, 0);
  const Result fewer = train({"--set", "train.steps=8"});
  EXPECT_EQ(fewer.code, 0) << fewer.err;
  EXPECT_NE(fewer.out.find("past the 8 steps asked for"), std::string::npos) << fewer.out;
  EXPECT_NE(run_program(scratch_.path(), {"runs"}).out.find(" 12/12 "), std::string::npos);
}

TEST_F(ResumeCommand, ABranchKilledBeforeItsFirstCheckpointStartsOver) {
  ASSERT_EQ(train({"--run-dir", "base", "--set", "checkpoint.permanent_every=8"}).code, 0);
  const std::vector<std::string> branch{"train",  "tiny.json", "--run-dir", "branch",
                                        "--from", "base@16",   "--set",     "checkpoint.every=12"};
  Process process(scratch_.path(), branch);
  ASSERT_TRUE(process.wait_for(scratch_ / "branch/metrics.jsonl", "\"step\":17,"));
  process.signal(SIGKILL);
  process.wait();
  // Killed later than that, it may have saved step 24 and goes on from there.
  const Result again = run_program(scratch_.path(), branch);
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(slurp(scratch_ / "branch/metrics.jsonl").find("{\"step\":17,"), 0u);
}

TEST_F(ResumeCommand, TheBestIsKeptOrSaidNotToBe) {
  const std::vector<std::string> rising{"--set", "optimizers.adam.lr=2",
                                        "--set", "train.clip=0",
                                        "--set", "schedule={\"kind\":\"constant\"}"};
  const Result lost = train(rising);
  ASSERT_EQ(lost.code, 0) << lost.err;
  EXPECT_NE(lost.out.find("at step 0 (its weights are not kept: checkpoint.best is off)"),
            std::string::npos)
      << lost.out;
  std::vector<std::string> keeping = rising;
  keeping.insert(keeping.end(), {"--run-dir", "kept", "--set", "checkpoint.best=true"});
  const Result kept = train(keeping);
  ASSERT_EQ(kept.code, 0) << kept.err;
  EXPECT_TRUE(std::filesystem::exists(final_checkpoint("kept", "00000000")));
  EXPECT_EQ(kept.out.find("not kept"), std::string::npos) << kept.out;
  EXPECT_EQ(run_program(scratch_.path(), {"eval", "kept@0"}).code, 0);
}

using ResumeCommandSlow = ResumeCommand;

TEST_F(ResumeCommandSlow, TwentyRandomKillsOfATwoHundredStepRun) {
  const std::vector<std::string> settings{"--set", "train.steps=200", "--set",
                                          "checkpoint.every=5"};
  std::vector<std::string> straight{"--run-dir", "straight"};
  straight.insert(straight.end(), settings.begin(), settings.end());
  ASSERT_EQ(train(straight).code, 0);
  run_with_kills("killed", 20, settings, 11);
  expect_equal_runs("straight", "killed", "00000200");
}

// 3,840 or 7,040 tokens instead of 5,120 before.
TEST_F(ResumeCommand, ABudgetOfTokensHoldsWhenTheBatchChanges) {
  const std::vector<std::string> budget{
      "--set", "train.tokens=5120", "--set", "checkpoint.every=20", "--set", "probes=null"};
  const auto train_in = [&](const std::string& run, std::vector<std::string> more) {
    more.insert(more.end(), {"--run-dir", run});
    more.insert(more.end(), budget.begin(), budget.end());
    return train(more);
  };
  ASSERT_EQ(train_in("wide", {}).code, 0);
  std::filesystem::remove_all(final_checkpoint("wide", "00000040"));
  std::filesystem::copy(scratch_ / "wide", scratch_ / "narrow",
                        std::filesystem::copy_options::recursive);
  for (const auto& [run, batch, step] :
       {std::tuple{"wide", "8", "00000030"}, std::tuple{"narrow", "2", "00000060"}}) {
    const Result resumed =
        train_in(run, {"--allow-change", "--set", std::string("train.batch=") + batch});
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_TRUE(std::filesystem::exists(final_checkpoint(run, step))) << resumed.out;
    const std::string metrics = slurp(scratch_ / (std::string(run) + "/metrics.jsonl"));
    EXPECT_NE(metrics.find("\"tokens\":5120,"), std::string::npos);
    EXPECT_EQ(metrics.find("\"tokens\":5376,"), std::string::npos);
    const Result again = train_in(run, {"--set", std::string("train.batch=") + batch});
    EXPECT_NE(again.out.find("finished at step"), std::string::npos) << again.out << again.err;
  }
}

}  // namespace
}  // namespace muonlab
