// `muonlab sweep` as its users meet it: run, read the answer, kill, go on, change a cell.
#include <gtest/gtest.h>

#include <random>

#include <nlohmann/json.hpp>

#include "support/program.hpp"

namespace muonlab {
namespace {

using support::Process;
using support::Result;
using support::run_program;
using support::slurp;

constexpr const char* kBase = R"({
  "threads": 1,
  "data": {"kind": "biographies", "m": 3, "tokenizer": {"kind": "byte"}},
  "model": {"layers": 1, "width": 32, "heads": 2, "context": 32},
  "optimizers": {"muon": {"rule": "muon"}, "adam": {"rule": "adamw"}, "embed": {"rule": "adamw", "lr": 0.003}},
  "assign": [{"params": ["qk"], "optimizer": "muon"}, {"params": ["matrices"], "optimizer": "adam"},
             {"params": ["all"], "optimizer": "embed"}],
  "train": {"steps": 12, "batch": 4},
  "eval": {"every": 6, "samples": 8},
  "checkpoint": {"every": 3}
})";
constexpr const char* kSweep = R"({
  "name": "small", "base": "base.json",
  "axes": {"row": {
    "adam": {"assign": [{"params": ["matrices"], "optimizer": "adam"}, {"params": ["all"], "optimizer": "embed"}]},
    "qk": {"assign": [{"params": ["qk"], "optimizer": "muon"}, {"params": ["matrices"], "optimizer": "adam"}, {"params": ["all"], "optimizer": "embed"}]},
    "all": {"assign": [{"params": ["matrices"], "optimizer": "muon"}, {"params": ["all"], "optimizer": "embed"}]}}},
  "seeds": [1, 2],
  "tune": {"at": {"row": "all"}, "path": "optimizers.muon.lr", "grid": [0.01, 0.02]},
  "compare": {"axis": "row", "baseline": "adam", "reference": "all"}
})";

class SweepCommand : public ::testing::Test {
 protected:
  SweepCommand()
      : scratch_(std::string("sweep_") +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::ofstream(scratch_ / "base.json") << kBase;
    write(kSweep);
  }
  void write(const std::string& sweep) { std::ofstream(scratch_ / "sweep.json") << sweep; }
  Result sweep(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"sweep", "sweep.json"});
    return run_program(scratch_.path(), more);
  }
  // What must not depend on interruptions: the plan, and every cell's record and weights.
  std::vector<std::pair<std::string, std::string>> results(const std::string& folder) {
    std::vector<std::pair<std::string, std::string>> kept{
        {"plan.json", slurp(scratch_ / (folder + "/plan.json"))}};
    for (auto& [path, bytes] : support::tree(scratch_ / (folder + "/cells"))) {
      if (path.ends_with("metrics.jsonl") || path.ends_with("model.safetensors"))
        kept.emplace_back(path, std::move(bytes));
    }
    return kept;
  }
  // Kills the sweep `kills` times at random moments, starting it again each time; then lets it
  // finish.
  void run_with_kills(const std::string& folder, int kills, unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < kills; ++i) {
      Process process(scratch_.path(), {"sweep", "sweep.json", "--out", folder, "--jobs", "2"});
      std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 1200));
      process.signal(SIGKILL);
      process.wait();
    }
    const Result last = sweep({"--out", folder, "--jobs", "2"});
    EXPECT_EQ(last.code, 0) << last.out << last.err;
  }
  support::Scratch scratch_;
};
class SweepCommandSlow : public SweepCommand {};

// Gains over another baseline than Adam are not called gains over Adam.
TEST_F(SweepCommand, SaysWhatItCompares) {
  const Result places = sweep({"--jobs", "2"});
  EXPECT_NE(places.out.find("Muon on    val. loss"), std::string::npos) << places.out;
  EXPECT_NE(places.out.find("gain over Adam"), std::string::npos) << places.out;

  const std::string orders = R"({"base": "base.json", "axes": {"order": {
    "before": {"optimizers.muon.order": "before"},
    "none": {"optimizers.muon.order": "none"}}},
    "compare": {"axis": "order", "baseline": "none", "reference": "before"},
    "labels": {"before": "with momentum", "none": "without momentum"}})";
  write(orders);
  const Result other = sweep({"--out", "orders"});
  EXPECT_EQ(other.out.find("Adam"), std::string::npos) << other.out;
  EXPECT_NE(other.out.find("  order "), std::string::npos) << other.out;
  EXPECT_NE(other.out.find("gain over without momentum"), std::string::npos) << other.out;
  EXPECT_NE(other.out.find("With momentum "), std::string::npos) << other.out;
}

TEST_F(SweepCommand, RunsEveryCellOnceAndAnswers) {
  const Result first = sweep({"--jobs", "2"});
  EXPECT_EQ(first.code, 0) << first.out << first.err;
  EXPECT_NE(first.out.find("all: optimizers.muon.lr "), std::string::npos) << first.out;
  EXPECT_NE(first.out.find("qk"), std::string::npos);
  EXPECT_NE(first.out.find("page: runs/small/report.html"), std::string::npos) << first.out;
  EXPECT_GT(slurp(scratch_ / "runs/small/report.html").size(), 1000u);
  // A finished cell keeps its weights alone, and is a checkpoint like any other.
  const std::string checkpoint = scratch_ / "runs/small/cells/qk-s1/checkpoints/step-00000012";
  EXPECT_TRUE(std::filesystem::exists(checkpoint + "/model.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(checkpoint + "/optimizer.safetensors"));
  EXPECT_EQ(run_program(scratch_.path(), {"eval", "runs/small/cells/qk-s1"}).code, 0);
  const auto& checkpoints =
      std::filesystem::directory_iterator(scratch_ / "runs/small/cells/qk-s1/checkpoints");
  EXPECT_EQ(std::distance(begin(checkpoints), end(checkpoints)), 1);

  const Result listed = run_program(scratch_.path(), {"runs"});
  EXPECT_NE(listed.out.find("runs/small  "), std::string::npos) << listed.out;
  EXPECT_NE(listed.out.find(" runs done\n"), std::string::npos) << listed.out;

  const auto before = results("runs/small");
  EXPECT_GE(before.size(), 13u);  // two files a run: at least two trials and four more rows
  const Result second = sweep({"--jobs", "2"});
  EXPECT_EQ(second.code, 0);
  EXPECT_NE(second.out.find("0 runs to do"), std::string::npos) << second.out;
  EXPECT_TRUE(before == results("runs/small"));
}

TEST_F(SweepCommand, DryRunSaysWhatItTakesAndStartsNothing) {
  const Result result = sweep({"--dry-run"});
  EXPECT_EQ(result.code, 0) << result.err;
  for (const char* word : {"runs to do", "time     about", "memory   about", "disk     about",
                           "tune-all-muon.lr_0.01", "Nothing was started"}) {
    EXPECT_NE(result.out.find(word), std::string::npos) << word << " is not in\n" << result.out;
  }
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "runs"));
}

TEST_F(SweepCommand, OnlyRunsTheCellsThatMatch) {
  const Result result = sweep({"--only", "tune-*0.01"});
  EXPECT_EQ(result.code, 0) << result.out << result.err;  // all that was asked for
  const auto& cells = std::filesystem::directory_iterator(scratch_ / "runs/small/cells");
  EXPECT_EQ(std::distance(begin(cells), end(cells)), 1);
  EXPECT_NE(sweep({"--only", "tune-none"}).err.find("no cell matches"), std::string::npos);
}

TEST_F(SweepCommand, OnlyRunsTheSearchThatACellWaitsFor) {
  const Result result = sweep({"--only", "qk-s2", "--jobs", "2"});
  EXPECT_NE(result.out.find("1 of them waits for rates"), std::string::npos) << result.out;
  EXPECT_TRUE(std::filesystem::exists(scratch_ / "runs/small/cells/tune-all-muon.lr_0.01"));
  EXPECT_TRUE(std::filesystem::exists(scratch_ / "runs/small/cells/qk-s2"));
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "runs/small/cells/qk-s1"));
}

// The second one is killed with its cells; the others take these over.
TEST_F(SweepCommand, SweepsThatShareAFolderDivideItsCells) {
  EXPECT_EQ(sweep({"--out", "straight", "--jobs", "2"}).code, 0);
  const std::vector<std::string> command{"sweep", "sweep.json", "--out", "shared", "--jobs", "1"};
  Process first(scratch_.path(), command), killed(scratch_.path(), command);
  Process last(scratch_.path(), command);
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  killed.signal(SIGKILL);
  killed.wait();
  const Result one = first.wait(), other = last.wait();
  EXPECT_EQ(one.code, 0) << one.out << one.err;
  EXPECT_EQ(other.code, 0) << other.out << other.err;
  EXPECT_TRUE(results("straight") == results("shared"));
  // A cell is trained once: by the sweep that claimed it, or by who took it over.
  for (const auto& [path, text] : support::tree(scratch_ / "shared/output"))
    EXPECT_EQ(text.find("is in use"), std::string::npos) << path << "\n" << text;
  const std::string joined = one.out + other.out;
  EXPECT_NE(joined.find("the cells are divided"), std::string::npos) << joined;
}

TEST_F(SweepCommand, ASweepOfAnotherFileDoesNotJoin) {
  Process first(scratch_.path(), {"sweep", "sweep.json", "--jobs", "1"});
  first.wait_for(scratch_ / "runs/small/sweep.json", "tune");
  std::string text = kSweep;
  text.replace(text.find("[1, 2]"), 6, "[1, 3]");
  write(text);
  const Result refused = sweep();
  EXPECT_EQ(refused.code, 1) << refused.out;
  EXPECT_NE(refused.err.find("file was different"), std::string::npos) << refused.err;
  EXPECT_EQ(first.wait().code, 0);
}

TEST_F(SweepCommand, SlurmsOptionsAreShownBeforeAnythingIsSubmitted) {
  const Result listed =
      sweep({"--dry-run", "--jobs", "3", "--slurm", "--partition=all --comment='two words'"});
  EXPECT_EQ(listed.code, 0) << listed.err;
  for (const char* part :
       {"sbatch --parsable --array=1-2%3", "--dependency=afterany:JOB --partition=all",
        "'--comment=two words'", "--array=1-5%3", "--cpus-per-task=1"})
    EXPECT_NE(listed.out.find(part), std::string::npos) << part << "\n" << listed.out;
  EXPECT_EQ(sweep({"--slurm", "--comment='open"}).code, 2);
}

TEST_F(SweepCommand, AKilledSweepGivesWhatAnUndisturbedOneGives) {
  EXPECT_EQ(sweep({"--out", "straight", "--jobs", "2"}).code, 0);
  run_with_kills("killed", 2, 5);
  EXPECT_TRUE(results("straight") == results("killed"));
}

TEST_F(SweepCommandSlow, TenRandomKillsOfASweep) {
  EXPECT_EQ(sweep({"--out", "straight", "--jobs", "2"}).code, 0);
  run_with_kills("killed", 10, 17);
  EXPECT_TRUE(results("straight") == results("killed"));
}

TEST_F(SweepCommand, AnInterruptSavesTheRunningCells) {
  Process process(scratch_.path(), {"sweep", "sweep.json", "--jobs", "2"});
  const std::string metrics = scratch_ / "runs/small/cells/tune-all-muon.lr_0.01/metrics.jsonl";
  process.wait_for(metrics, "\"step\":2,");
  process.signal(SIGINT);
  const Result stopped = process.wait();
  if (stopped.code == 0) GTEST_SKIP() << "the sweep ended before the signal came";
  EXPECT_EQ(stopped.code, 130) << stopped.out << stopped.err;
  EXPECT_NE(stopped.out.find("The same command resumes them"), std::string::npos) << stopped.out;
  EXPECT_EQ(sweep({"--jobs", "2"}).code, 0);
}

// A cell that somebody stopped takes no signal before it continues.
TEST_F(SweepCommand, AnInterruptReachesAStoppedCell) {
  std::string text = kSweep;
  text.replace(text.find("\"seeds\""), 0,
               "\"settings\": {\"train.steps\": 100000, \"eval.every\": 0}, ");
  write(text);
  Process process(scratch_.path(), {"sweep", "sweep.json", "--jobs", "1"});
  const std::string cell = scratch_ / "runs/small/cells/tune-all-muon.lr_0.01";
  process.wait_for(cell + "/metrics.jsonl", "\"step\":2,");
  ASSERT_EQ(::kill(std::stoi(slurp(cell + "/.lock")), SIGSTOP), 0);
  process.signal(SIGTERM);
  const Result stopped = process.wait();
  EXPECT_EQ(stopped.code, 130) << stopped.out << stopped.err;
  EXPECT_TRUE(std::filesystem::exists(cell + "/checkpoints"));
}

// Its loss at step 0 was finite, and lower than that of the rates that trained.
TEST_F(SweepCommand, ARateThatDivergesIsShownAndNeverChosen) {
  std::string text = kSweep;
  text.replace(text.find("[0.01, 0.02]"), 12, "[0.02, 1e30]");
  write(text);
  const Result result = sweep({"--only", "tune-*", "--jobs", "2"});
  EXPECT_NE(result.out.find("tune-all-muon.lr_1e+30  diverged at step "), std::string::npos)
      << result.out << result.err;
  EXPECT_NE(result.out.find("all: optimizers.muon.lr 0.02 (best of 3)"), std::string::npos)
      << result.out;
  EXPECT_EQ(result.out.find("1e+60"), std::string::npos) << result.out;
}

TEST_F(SweepCommand, AChangedCellIsNoticedAndRedoneOnlyWhenAsked) {
  EXPECT_EQ(sweep().code, 0);
  std::string changed = kSweep;
  changed.replace(changed.find("\"seeds\""), 0, "\"settings\": {\"train.batch\": 8}, ");
  write(changed);
  const auto before = results("runs/small");
  const Result refused = sweep();
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.out.find("changed  tune-all-muon.lr_0.01: train.batch 4 -> 8"),
            std::string::npos)
      << refused.out;
  EXPECT_NE(refused.out.find("--redo-changed"), std::string::npos);
  EXPECT_EQ(results("runs/small").size(), before.size());
  const Result redone = sweep({"--redo-changed"});
  EXPECT_EQ(redone.code, 0) << redone.out << redone.err;
  EXPECT_TRUE(std::filesystem::exists(
      scratch_ / "runs/small/cells/tune-all-muon.lr_0.01.old-1/metrics.jsonl"));
}

TEST_F(SweepCommand, AFailedCellIsReportedAndTheRestGoesOn) {
  std::string sweep_text = kSweep;
  const std::string from = R"("qk": {)";
  // More context than the corpus has tokens: found only when the data are opened.
  sweep_text.replace(sweep_text.find(from), from.size(), R"("qk": {"model.context": 900000, )");
  write(sweep_text);
  const Result result = sweep({"--jobs", "2"});
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.out.find("qk-s1"), std::string::npos) << result.out << result.err;
  EXPECT_NE(result.out.find("2 cells failed"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("runs/small/output/qk-s1.txt"), std::string::npos) << result.out;
  EXPECT_TRUE(
      std::filesystem::exists(scratch_ / "runs/small/cells/adam-s2/checkpoints/step-00000012"));
}

}  // namespace
}  // namespace muonlab
