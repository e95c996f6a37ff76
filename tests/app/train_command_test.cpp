// The program as its users meet it: train, look at what a run wrote, use its checkpoints.
#include <gtest/gtest.h>

#include <map>

#include <nlohmann/json.hpp>

#include "app/train_fixture.hpp"
#include "muonlab/base/exit_code.hpp"

namespace muonlab {
namespace {

using support::Process;
using support::Result;
using support::run_program;
using support::slurp;

using TrainCommand = support::TrainFixture;

TEST_F(TrainCommand, LearnsAndTheSameRunGivesTheSameBytes) {
  const Result first = train({"--run-dir", "a"});
  ASSERT_EQ(first.code, 0) << first.err;
  ASSERT_EQ(train({"--run-dir", "b"}).code, 0);
  expect_equal_runs("a", "b");
  for (const char* name :
       {"config.json", "resolved.json", "assignment.tsv", "plan.json", "build.json", "log.txt"}) {
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

TEST_F(TrainCommand, ADryRunDescribesARunAndStartsNothing) {
  const Result planned =
      train({"--dry-run", "--set", "train.batch=8", "--set",
             R"(train.batch_ramp=[{"batch":2,"steps":3},{"batch":4,"fraction":0.2}])"});
  ASSERT_EQ(planned.code, 0) << planned.err;
  for (const char* text :
       {"30 steps of up to 256 tokens", "steps 1 to 3     64 tokens a step (1 x 2 x 32)",
        "steps 4 to 9    128 tokens a step (2 x 2 x 32)",
        "steps 10 to 30  256 tokens a step (4 x 2 x 32)", "layers 0-1", "time     about",
        "Nothing was started (--dry-run)."}) {
    EXPECT_NE(planned.out.find(text), std::string::npos) << text << "\n" << planned.out;
  }
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "runs"));
  EXPECT_EQ(train({"--dry-run", "--processes", "2"}).code, 2);
  EXPECT_EQ(train({"--dry-run", "--set", "train.batch=0"}).code, 2);
}

// The data of the benchmark are not here, and no machine that tests is large enough to train it.
TEST_F(TrainCommand, TheBenchmarkOfModdedNanogptIsPlannedWithoutItsData) {
  const std::string file = MUONLAB_SOURCE_DIR "/configs/track3.json";
  const Result checked = run_program(scratch_.path(), {"config", "check", file});
  EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
  const Result planned = run_program(scratch_.path(), {"train", file, "--dry-run"});
  ASSERT_EQ(planned.code, 0) << planned.err;
  for (const char* text :
       {"3,251 steps of 524,288 tokens (8 x 64 x 1024)", "1.7",
        "data     missing: ", "layers 0-11: q k v o", "time     about", "disk     about"}) {
    EXPECT_NE(planned.out.find(text), std::string::npos) << text << "\n" << planned.out;
  }
}

TEST_F(TrainCommand, SpectraAreMeasuredAtTheirStepsAndNoOthers) {
  ASSERT_EQ(train({"--set", "train.steps=10", "--set", "probes.spectra.every=4"}).code, 0);
  std::map<int64_t, int> matrices;
  std::istringstream lines(slurp(scratch_ / "runs/tiny/spectra.jsonl"));
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text);
    ++matrices[line.at("step").get<int64_t>()];
    EXPECT_EQ(line.at("of"), "weight");
    EXPECT_EQ(line.at("layer"),
              line.at("role") == "head" ? -1 : line.at("name").get<std::string>()[13] - '0')
        << text;
    EXPECT_GT(line.at("entropy"), 0.0);
    EXPECT_LE(line.at("entropy"), 1.0);
    EXPECT_GT(line.at("rms"), 0.0);
  }
  EXPECT_EQ(matrices, (std::map<int64_t, int>{{0, 15}, {4, 15}, {8, 15}, {10, 15}}));
}

TEST_F(TrainCommand, SpectraOfACheckpointAreThoseOfItsRun) {
  ASSERT_EQ(train({"--set", "train.steps=8", "--set", "probes.spectra.heads=true"}).code, 0);
  const Result json = run_program(
      scratch_.path(), {"spectra", "runs/tiny", "--params", "matrices,head", "--heads", "--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  std::string lines = json.out;
  const std::string label = "{\"checkpoint\":\"runs/tiny\",";
  for (size_t at = 0; (at = lines.find(label, at)) != std::string::npos;)
    lines.replace(at, label.size(), "{");
  const std::string spectra = slurp(scratch_ / "runs/tiny/spectra.jsonl");
  EXPECT_EQ(lines, spectra.substr(spectra.find("{\"step\":8,")));

  const Result table =
      run_program(scratch_.path(), {"spectra", "runs/tiny@4", "runs/tiny", "--params", "vo"});
  ASSERT_EQ(table.code, 0) << table.err;
  EXPECT_NE(table.out.find("v     runs/tiny@4 step 4      2  "), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("v     runs/tiny step 8        2  "), std::string::npos) << table.out;
  const Result each =
      run_program(scratch_.path(), {"spectra", "runs/tiny", "--params", "o", "--matrices"});
  EXPECT_NE(each.out.find("model.layers.1.self_attn.o_proj.weight  runs/tiny step 8"),
            std::string::npos)
      << each.out;
  const Result wrong = run_program(scratch_.path(), {"spectra", "runs/tiny", "--params", "v_o"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("--params: \"v_o\" is no role"), std::string::npos) << wrong.err;
}

TEST_F(TrainCommand, ItsLogTellsTheRunsStory) {
  ASSERT_EQ(train().code, 0);
  const std::string log = slurp(scratch_ / "runs/tiny/log.txt");
  for (const char* part :
       {"starts at step 0 of 30", "saved runs/tiny/checkpoints/step-00000030", "done"}) {
    EXPECT_NE(log.find(part), std::string::npos) << part << "\n" << log;
  }
}

TEST_F(TrainCommand, NoLineIsPrintedTwiceIntoAFile) {
  const Result one = train({"--set", "train.steps=1", "--set", "schedule={\"kind\":\"constant\"}",
                            "--set", "eval.every=0"});
  ASSERT_EQ(one.code, 0) << one.err;
  size_t lines = 0;
  for (size_t at = 0; (at = one.out.find("\nstep ", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 2u) << "the first step, and the last with its validation\n" << one.out;
  const Result stopped = train({"--run-dir", "x", "--set", "optimizers.adam.lr=1e30", "--set",
                                "train.clip=0", "--set", "schedule={\"kind\":\"constant\"}"});
  EXPECT_EQ(stopped.code, 3);
  EXPECT_EQ(stopped.out.find("step  1/30"), stopped.out.rfind("step  1/30")) << stopped.out;
}

TEST_F(TrainCommand, TheModelLineSaysWhatTheModelIs) {
  EXPECT_NE(train({"--set", "train.steps=6"})
                .out.find("model    qwen3  2 layers, width 32, 2 heads (1 key-value), gated silu "
                          "85, QK-norm without gain, context 32"),
            std::string::npos);
  const Result plain =
      train({"--run-dir", "plain", "--set", "train.steps=6", "--set", "model.qk_norm=none", "--set",
             "model.gated=false", "--set", "model.activation=relu2", "--set", "model.head_dim=20",
             "--set", "model.tied=true", "--set", "probes.spectra.params=[\"matrices\"]"});
  EXPECT_NE(plain.out.find("model    arcee  2 layers, width 32, 2 heads of 20 (1 key-value), plain "
                           "relu2 128, tied, context 32"),
            std::string::npos)
      << plain.out;
}

TEST_F(TrainCommand, ANonFiniteLossStopsBeforeTheUpdateAndNamesTheLastGoodCheckpoint) {
  const Result result =
      train({"--set", "optimizers.adam.lr=1e30", "--set", "schedule={\"kind\":\"constant\"}",
             "--set", "checkpoint.every=1", "--set", "train.clip=0"});
  EXPECT_EQ(result.code, 3);
  EXPECT_NE(result.err.find("stopped before the update"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("last good checkpoint is runs/tiny/checkpoints/step-"),
            std::string::npos)
      << result.err;
}

TEST_F(TrainCommand, CheckpointsAnswerEvalSampleAndAsk) {
  ASSERT_EQ(train().code, 0);
  const Result eval = run_program(scratch_.path(), {"eval", "runs/tiny"});
  EXPECT_EQ(eval.code, 0) << eval.err;
  const std::string metrics = slurp(scratch_ / "runs/tiny/metrics.jsonl");
  const double logged = std::stod(metrics.substr(metrics.rfind("\"val_loss\":") + 11));
  const double printed = std::stod(eval.out.substr(eval.out.find("validation loss ") + 16));
  EXPECT_NEAR(printed, logged, 5.1e-5);

  EXPECT_NE(eval.out.find("8 windows of 32 tokens, spread over the validation data\n"),
            std::string::npos)
      << eval.out;
  EXPECT_NE(slurp(scratch_ / "runs/tiny/resolved.json").find("\"windows\": \"spread\""),
            std::string::npos);
  const Result first = run_program(scratch_.path(), {"eval", "runs/tiny", "--windows", "first"});
  EXPECT_NE(first.out.find("8 windows of 32 tokens, the first of the validation data\n"),
            std::string::npos)
      << first.out;
  EXPECT_NE(first.out.substr(0, 50), eval.out.substr(0, 50));
  EXPECT_EQ(
      run_program(scratch_.path(), {"eval", "runs/tiny", "--windows", "first", "--samples", "-1"})
          .out,
      run_program(scratch_.path(), {"eval", "runs/tiny", "--samples", "-1"}).out);

  const std::vector<std::string> sample{
      "sample", "runs/tiny", "--prompt", "Question: ", "--tokens", "20", "--seed", "3"};
  const Result once = run_program(scratch_.path(), sample),
               twice = run_program(scratch_.path(), sample);
  EXPECT_EQ(once.code, 0) << once.err;
  EXPECT_EQ(once.out, twice.out);
  EXPECT_EQ(once.out.find("Question: "), 0u);

  const auto asked = nlohmann::json::parse(
      run_program(scratch_.path(), {"ask", "runs/tiny", "--count", "2", "--json"}).out);
  EXPECT_EQ(asked["asked"], 2);
  EXPECT_TRUE(asked["answers"][1]["right"].is_boolean());
  const Result ask = run_program(scratch_.path(), {"ask", "runs/tiny", "--count", "2"});
  EXPECT_EQ(ask.code, 0) << ask.err;
  EXPECT_NE(ask.out.find(" of 2 right"), std::string::npos) << ask.out;

  const Result runs = run_program(scratch_.path(), {"runs"});
  EXPECT_NE(runs.out.find("finished"), std::string::npos) << runs.out;
  EXPECT_NE(run_program(scratch_.path(), {"eval", "nowhere"}).err.find("no such run"),
            std::string::npos);
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
  EXPECT_EQ(second.code, base::exit_code::kInUse);
  EXPECT_EQ(run_program(scratch_.path(), {"runs"}).out.find("running") == std::string::npos, false);
  first.signal(SIGTERM);
  EXPECT_EQ(first.wait().code, 130);
}

}  // namespace
}  // namespace muonlab
