// The program as its users meet it: start, interrupt, kill, damage, resume, branch.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include <nlohmann/json.hpp>

#include "support/program.hpp"

namespace muonlab {
namespace {

using support::Process;
using support::Result;
using support::run_program;
using support::slurp;

constexpr const char* kTiny = R"({
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

class TrainCommand : public ::testing::Test {
 protected:
  TrainCommand() : scratch_(::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::ofstream(scratch_ / "tiny.json") << kTiny;
  }
  Result train(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"train", "tiny.json"});
    return run_program(scratch_.path(), more);
  }
  std::string final_checkpoint(const std::string& run, const std::string& step = "00000030") {
    return scratch_ / (run + "/checkpoints/step-" + step);
  }
  void expect_equal_runs(const std::string& a, const std::string& b, const std::string& step = "00000030") {
    for (const char* file : {"/metrics.jsonl", "/spectra.jsonl"}) {
      EXPECT_GT(slurp(scratch_ / (a + file)).size(), 100u);
      EXPECT_TRUE(slurp(scratch_ / (a + file)) == slurp(scratch_ / (b + file))) << file;
    }
    const auto left = support::tree(final_checkpoint(a, step)), right = support::tree(final_checkpoint(b, step));
    ASSERT_EQ(left.size(), right.size());
    ASSERT_GE(left.size(), 5u);
    for (size_t i = 0; i < left.size(); ++i) {
      EXPECT_EQ(left[i].first, right[i].first);
      EXPECT_TRUE(left[i].second == right[i].second) << left[i].first << " differs";
    }
  }
  // Kills the run at random moments, `kills` times, resuming each time, then lets it finish.
  void run_with_kills(const std::string& run_dir, int kills, const std::vector<std::string>& settings, unsigned seed) {
    std::mt19937 random(seed);
    const std::string metrics = scratch_ / (run_dir + "/metrics.jsonl");
    for (int i = 0; i < kills; ++i) {
      std::vector<std::string> arguments{"train", "tiny.json", "--run-dir", run_dir};
      arguments.insert(arguments.end(), settings.begin(), settings.end());
      Process process(scratch_.path(), arguments);
      const std::string before = slurp(metrics);
      // Past start-up, then some random milliseconds into the steps.
      while (process.running() && slurp(metrics) == before) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 40000));
      process.signal(SIGKILL);
      process.wait();
    }
    std::vector<std::string> arguments{"--run-dir", run_dir};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    const Result last = train(arguments);
    ASSERT_EQ(last.code, 0) << last.err;
  }
  support::Scratch scratch_;
};

TEST_F(TrainCommand, LearnsAndTheSameRunGivesTheSameBytes) {
  const Result first = train({"--run-dir", "a"});
  ASSERT_EQ(first.code, 0) << first.err;
  ASSERT_EQ(train({"--run-dir", "b"}).code, 0);
  expect_equal_runs("a", "b");
  for (const char* name : {"config.json", "resolved.json", "assignment.tsv", "plan.json", "build.json", "log.txt"}) {
    EXPECT_TRUE(std::filesystem::exists(scratch_ / (std::string("a/") + name))) << name;
  }
  EXPECT_NE(first.out.find("layers 0-1"), std::string::npos) << "the assignment table is printed";
  const std::string metrics = slurp(scratch_ / "a/metrics.jsonl");
  double start = 0, end = 0;
  std::istringstream lines(metrics);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find("\"val_loss\":");
    if (at == std::string::npos) continue;
    end = std::stod(line.substr(at + 11));
    if (start == 0) start = end;
  }
  EXPECT_LT(end, start - 1.0);
}

TEST_F(TrainCommand, KilledAndResumedEqualsStraight) {
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

TEST_F(TrainCommand, InterruptSavesSaysHowToGoOnAndResumesExactly) {
  ASSERT_EQ(train({"--run-dir", "straight"}).code, 0);
  Process process(scratch_.path(), {"train", "tiny.json", "--run-dir", "stopped"});
  ASSERT_TRUE(process.wait_for(scratch_ / "stopped/metrics.jsonl", "\"step\":3,"));
  process.signal(SIGINT);
  const Result stopped = process.wait();
  EXPECT_EQ(stopped.code, 130);
  EXPECT_NE(stopped.out.find("Go on with: muonlab train --resume stopped"), std::string::npos) << stopped.out;
  const Result resumed = run_program(scratch_.path(), {"train", "--resume", "stopped"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.out.find("resumes at step"), std::string::npos);
  expect_equal_runs("straight", "stopped");
}

TEST_F(TrainCommand, ADamagedCheckpointIsNamedAndTheOneBeforeItUsed) {
  ASSERT_EQ(train({"--run-dir", "straight"}).code, 0);
  ASSERT_EQ(train({"--run-dir", "hurt"}).code, 0);
  {
    std::fstream file(final_checkpoint("hurt") + "/model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2000);
    file.put('x');
    file.put('y');
  }
  const Result resumed = train({"--run-dir", "hurt"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("model.safetensors does not match its hash"), std::string::npos) << resumed.err;
  EXPECT_NE(resumed.out.find("resumes at step 28"), std::string::npos) << resumed.out;
  expect_equal_runs("straight", "hurt");

  for (const char* step : {"00000028", "00000030"}) {
    std::filesystem::resize_file(final_checkpoint("hurt", step) + "/model.safetensors", 100);
  }
  const Result refused = train({"--run-dir", "hurt"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_TRUE(std::filesystem::exists(final_checkpoint("hurt"))) << "nothing is removed";
}

TEST_F(TrainCommand, ChangedSettingsAreListedAndClassed) {
  ASSERT_EQ(train({"--set", "train.steps=8"}).code, 0);
  const Result longer = train({"--set", "train.steps=12"});
  EXPECT_EQ(longer.code, 0) << longer.err;
  EXPECT_NE(longer.out.find("changed  train.steps 8 -> 12 (changes the schedule's end: allowed)"), std::string::npos)
      << longer.out;
  const Result other = train({"--set", "train.steps=16", "--set", "model.width=48"});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE((other.out + other.err).find("model.width 32 -> 48 (refused"), std::string::npos) << other.out << other.err;
  EXPECT_NE(other.err.find("--run-dir"), std::string::npos);
}

TEST_F(TrainCommand, SpectraAreMeasuredAtTheirStepsAndNoOthers) {
  ASSERT_EQ(train({"--set", "train.steps=10", "--set", "probes.spectra.every=4"}).code, 0);
  std::map<int64_t, int> matrices;
  std::istringstream lines(slurp(scratch_ / "runs/tiny/spectra.jsonl"));
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text);
    ++matrices[line.at("step").get<int64_t>()];
    EXPECT_EQ(line.at("of"), "weight");
    EXPECT_EQ(line.at("layer"), line.at("role") == "head" ? -1 : line.at("name").get<std::string>()[13] - '0') << text;
    EXPECT_GT(line.at("entropy"), 0.0);
    EXPECT_LE(line.at("entropy"), 1.0);
    EXPECT_GT(line.at("rms"), 0.0);
  }
  EXPECT_EQ(matrices, (std::map<int64_t, int>{{0, 15}, {4, 15}, {8, 15}, {10, 15}}));
}

TEST_F(TrainCommand, AProbeTurnedOnOrOffLaterKeepsItsLines) {
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

TEST_F(TrainCommand, SpectraOfACheckpointAreThoseOfItsRun) {
  ASSERT_EQ(train({"--set", "train.steps=8", "--set", "probes.spectra.heads=true"}).code, 0);
  const Result json = run_program(scratch_.path(), {"spectra", "runs/tiny", "--params", "matrices,head", "--heads", "--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  std::string lines = json.out;
  const std::string label = "{\"checkpoint\":\"runs/tiny\",";
  for (size_t at = 0; (at = lines.find(label, at)) != std::string::npos;) lines.replace(at, label.size(), "{");
  const std::string spectra = slurp(scratch_ / "runs/tiny/spectra.jsonl");
  EXPECT_EQ(lines, spectra.substr(spectra.find("{\"step\":8,")));

  const Result table = run_program(scratch_.path(), {"spectra", "runs/tiny@4", "runs/tiny", "--params", "vo"});
  ASSERT_EQ(table.code, 0) << table.err;
  EXPECT_NE(table.out.find("v       runs/tiny@4  step 4      2  "), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("        runs/tiny  step 8        2  "), std::string::npos) << table.out;
  const Result each = run_program(scratch_.path(), {"spectra", "runs/tiny", "--params", "o", "--matrices"});
  EXPECT_NE(each.out.find("model.layers.1.self_attn.o_proj.weight  runs/tiny  step 8"), std::string::npos) << each.out;
  const Result wrong = run_program(scratch_.path(), {"spectra", "runs/tiny", "--params", "v_o"});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_NE(wrong.err.find("--params: \"v_o\" is no role"), std::string::npos) << wrong.err;
}

TEST_F(TrainCommand, ASpectraFileThatWasCutShortStopsTheResume) {
  ASSERT_EQ(train({"--set", "train.steps=8"}).code, 0);
  std::filesystem::resize_file(scratch_ / "runs/tiny/spectra.jsonl", 100);
  const Result cut = train({"--set", "train.steps=12"});
  EXPECT_EQ(cut.code, 1);
  EXPECT_NE(cut.err.find("runs/tiny/spectra.jsonl: holds 100 bytes, but the checkpoint was saved when it held"),
            std::string::npos)
      << cut.err;
}

TEST_F(TrainCommand, ABranchCarriesOverWhatFits) {
  ASSERT_EQ(train({"--run-dir", "base", "--set", "checkpoint.permanent_every=8"}).code, 0);
  const Result branch = train({"--run-dir", "branch", "--from", "base@16", "--set",
                               R"(assign=[{"params":["vo"],"optimizer":"muon"},{"params":["all"],"optimizer":"adam"}])"});
  ASSERT_EQ(branch.code, 0) << branch.err;
  EXPECT_NE(branch.out.find("carried over"), std::string::npos) << branch.out;
  const std::string origin = slurp(scratch_ / "branch/origin.json");
  EXPECT_NE(origin.find("v_proj.weight/"), std::string::npos);
  EXPECT_EQ(slurp(scratch_ / "branch/metrics.jsonl").find("{\"step\":17,"), 0u);
  EXPECT_EQ(slurp(scratch_ / "branch/spectra.jsonl").find("{\"step\":18,"), 0u);
  EXPECT_EQ(run_program(scratch_.path(), {"train", "tiny.json", "--run-dir", "x", "--from", "base@17"}).code, 1);
}

TEST_F(TrainCommand, ABranchThatCannotBeLeavesNoFolder) {
  ASSERT_EQ(train({"--run-dir", "base"}).code, 0);
  const Result wider = train({"--run-dir", "wide", "--from", "base@28", "--set", "model.width=48"});
  EXPECT_EQ(wider.code, 1);
  EXPECT_NE(wider.err.find("model.width 32 -> 48"), std::string::npos) << wider.err;
  const Result past = train({"--run-dir", "past", "--from", "base@28", "--set", "train.steps=28"});
  EXPECT_EQ(past.code, 1);
  EXPECT_NE(past.err.find("base/checkpoints/step-00000028: is at step 28, and train.steps is 28"), std::string::npos)
      << past.err;
  EXPECT_EQ(train({"--run-dir", "none", "--from", "base@17"}).code, 1);
  for (const char* run : {"wide", "past", "none"}) EXPECT_FALSE(std::filesystem::exists(scratch_ / run)) << run;
}

TEST_F(TrainCommand, FromIsNotPassedOverInSilenceWhereTheRunIsThereAlready) {
  ASSERT_EQ(train({"--run-dir", "base"}).code, 0);
  ASSERT_EQ(train({"--run-dir", "other"}).code, 0);
  const Result other = train({"--run-dir", "other", "--from", "base@28"});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("other: has checkpoints of its own and was not branched from base@28"), std::string::npos)
      << other.err;
  ASSERT_EQ(train({"--run-dir", "branch", "--from", "base@28"}).code, 0);
  EXPECT_EQ(train({"--run-dir", "branch", "--from", "base@28"}).code, 0) << "the same command again";
  EXPECT_EQ(train({"--run-dir", "branch", "--from", "base@30"}).code, 1);
}

TEST_F(TrainCommand, FewerStepsThanARunHasDoneLeaveItsRecordAlone) {
  ASSERT_EQ(train({"--set", "train.steps=12"}).code, 0);
  const Result fewer = train({"--set", "train.steps=8"});
  EXPECT_EQ(fewer.code, 0) << fewer.err;
  EXPECT_NE(fewer.out.find("past the 8 steps asked for"), std::string::npos) << fewer.out;
  EXPECT_NE(run_program(scratch_.path(), {"runs"}).out.find(" 12/12 "), std::string::npos);
}

TEST_F(TrainCommand, ItsLogTellsTheRunsStory) {
  ASSERT_EQ(train().code, 0);
  const std::string log = slurp(scratch_ / "runs/tiny/log.txt");
  for (const char* part : {"starts at step 0 of 30", "saved runs/tiny/checkpoints/step-00000030", "done"}) {
    EXPECT_NE(log.find(part), std::string::npos) << part << "\n" << log;
  }
}

TEST_F(TrainCommand, NoLineIsPrintedTwiceIntoAFile) {
  const Result one = train({"--set", "train.steps=1", "--set", "schedule={\"kind\":\"constant\"}", "--set", "eval.every=0"});
  ASSERT_EQ(one.code, 0) << one.err;
  size_t lines = 0;
  for (size_t at = 0; (at = one.out.find("\nstep ", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 2u) << "the first step, and the last with its validation\n" << one.out;
  const Result stopped = train({"--run-dir", "x", "--set", "optimizers.adam.lr=1e30", "--set", "train.clip=0",
                                "--set", "schedule={\"kind\":\"constant\"}"});
  EXPECT_EQ(stopped.code, 3);
  EXPECT_EQ(stopped.out.find("step  1/30"), stopped.out.rfind("step  1/30")) << stopped.out;
}

TEST_F(TrainCommand, TheModelLineSaysWhatTheModelIs) {
  EXPECT_NE(train({"--set", "train.steps=6"}).out.find(
                "model    qwen3  2 layers, width 32, 2 heads (1 key-value), gated silu 85, QK-norm without gain, context 32"),
            std::string::npos);
  const Result plain = train({"--run-dir", "plain", "--set", "train.steps=6", "--set", "model.qk_norm=none", "--set",
                              "model.gated=false", "--set", "model.activation=relu2", "--set", "model.head_dim=20",
                              "--set", "model.tied=true", "--set", "probes.spectra.params=[\"matrices\"]"});
  EXPECT_NE(plain.out.find("model    arcee  2 layers, width 32, 2 heads of 20 (1 key-value), plain relu2 128, tied, context 32"),
            std::string::npos)
      << plain.out;
}

TEST_F(TrainCommand, ANonFiniteLossStopsBeforeTheUpdateAndNamesTheLastGoodCheckpoint) {
  const Result result =
      train({"--set", "optimizers.adam.lr=1e30", "--set", "schedule={\"kind\":\"constant\"}", "--set",
             "checkpoint.every=1", "--set", "train.clip=0"});
  EXPECT_EQ(result.code, 3);
  EXPECT_NE(result.err.find("stopped before the update"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("last good checkpoint is runs/tiny/checkpoints/step-"), std::string::npos) << result.err;
}

TEST_F(TrainCommand, CheckpointsAnswerEvalSampleAndAsk) {
  ASSERT_EQ(train().code, 0);
  const Result eval = run_program(scratch_.path(), {"eval", "runs/tiny"});
  EXPECT_EQ(eval.code, 0) << eval.err;
  const std::string metrics = slurp(scratch_ / "runs/tiny/metrics.jsonl");
  const double logged = std::stod(metrics.substr(metrics.rfind("\"val_loss\":") + 11));
  const double printed = std::stod(eval.out.substr(eval.out.find("validation loss ") + 16));
  EXPECT_NEAR(printed, logged, 5.1e-5);

  const std::vector<std::string> sample{"sample", "runs/tiny", "--prompt", "Question: ", "--tokens", "20", "--seed", "3"};
  const Result once = run_program(scratch_.path(), sample), twice = run_program(scratch_.path(), sample);
  EXPECT_EQ(once.code, 0) << once.err;
  EXPECT_EQ(once.out, twice.out);
  EXPECT_EQ(once.out.find("Question: "), 0u);

  const Result ask = run_program(scratch_.path(), {"ask", "runs/tiny", "--count", "2"});
  EXPECT_EQ(ask.code, 0) << ask.err;
  EXPECT_NE(ask.out.find(" of 2 right"), std::string::npos) << ask.out;

  const Result runs = run_program(scratch_.path(), {"runs"});
  EXPECT_NE(runs.out.find("finished"), std::string::npos) << runs.out;
  EXPECT_NE(run_program(scratch_.path(), {"eval", "nowhere"}).err.find("no such run"), std::string::npos);
}

TEST_F(TrainCommand, InitWritesStepZeroAndNothingTwice) {
  ASSERT_EQ(run_program(scratch_.path(), {"init", "tiny.json", "zero"}).code, 0);
  for (const char* name : {"zero/model.safetensors", "zero/config.json", "zero/manifest.json"}) {
    EXPECT_TRUE(std::filesystem::exists(scratch_ / name)) << name;
  }
  EXPECT_EQ(run_program(scratch_.path(), {"init", "tiny.json", "zero"}).code, 1);
}

TEST_F(TrainCommand, TwoProcessesDoNotTrainOneRun) {
  Process first(scratch_.path(), {"train", "tiny.json", "--set", "train.steps=100000"});
  ASSERT_TRUE(first.wait_for(scratch_ / "runs/tiny/metrics.jsonl", "\"step\":1,"));
  const Result second = train({"--set", "train.steps=100000"});
  EXPECT_EQ(second.code, 1);
  EXPECT_EQ(run_program(scratch_.path(), {"runs"}).out.find("running") == std::string::npos, false);
  first.signal(SIGTERM);
  EXPECT_EQ(first.wait().code, 130);
}

TEST_F(TrainCommand, ABranchKilledBeforeItsFirstCheckpointStartsOver) {
  ASSERT_EQ(train({"--run-dir", "base", "--set", "checkpoint.permanent_every=8"}).code, 0);
  const std::vector<std::string> branch{"train", "tiny.json", "--run-dir", "branch",
                                        "--from", "base@16", "--set", "checkpoint.every=12"};
  Process process(scratch_.path(), branch);
  ASSERT_TRUE(process.wait_for(scratch_ / "branch/metrics.jsonl", "\"step\":17,"));
  process.signal(SIGKILL);
  process.wait();
  // Killed later than that, it may have saved step 24 and goes on from there.
  const Result again = run_program(scratch_.path(), branch);
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(slurp(scratch_ / "branch/metrics.jsonl").find("{\"step\":17,"), 0u);
}

using TrainCommandSlow = TrainCommand;

TEST_F(TrainCommandSlow, TwentyRandomKillsOfATwoHundredStepRun) {
  const std::vector<std::string> settings{"--set", "train.steps=200", "--set", "checkpoint.every=5"};
  std::vector<std::string> straight{"--run-dir", "straight"};
  straight.insert(straight.end(), settings.begin(), settings.end());
  ASSERT_EQ(train(straight).code, 0);
  run_with_kills("killed", 20, settings, 11);
  expect_equal_runs("straight", "killed", "00000200");
}

}  // namespace
}  // namespace muonlab
