// Several processes on one run: the same bytes as one, and what happens when one of them is lost.
#include "train_fixture.hpp"

#include <functional>
#include <map>

#include "muonlab/comm/communicator.hpp"
#include "support/processes.hpp"

namespace muonlab::support {
namespace {

namespace fs = std::filesystem;

struct ProcessFacts {
  char state = 0;  // T while it is stopped
  pid_t parent = 0;
};

ProcessFacts facts_of(pid_t process) {
  const std::string stat = slurp("/proc/" + std::to_string(process) + "/stat");
  std::istringstream after(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  ProcessFacts facts;
  after >> facts.state >> facts.parent;
  return facts;
}

// The processes that `parent` started, in the order in which it did: their ranks.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t process = std::stoi(name);
    if (facts_of(process).parent == parent) found.push_back(process);
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool has_handler(pid_t process, int signal) {
  const std::string status = slurp("/proc/" + std::to_string(process) + "/status");
  const size_t at = status.find("SigCgt:");
  if (at == std::string::npos) return false;
  return (std::stoull(status.substr(at + 7), nullptr, 16) >> (signal - 1)) & 1;
}

// Whether the condition comes true; the limit is only reached where something is broken.
bool becomes_true(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

class ProcessesTest : public TrainFixture {
 protected:
  void SetUp() override {
    if (!comm::missing().empty()) GTEST_SKIP() << comm::missing();
  }
  std::vector<std::string> arguments(int processes, const std::string& run_dir,
                                     const std::vector<std::string>& settings = {}) const {
    std::vector<std::string> all{"train", "tiny.json",   "--run-dir",
                                 run_dir, "--processes", std::to_string(processes)};
    for (const std::string& setting : common_) all.insert(all.end(), {"--set", setting});
    for (const std::string& setting : settings) all.insert(all.end(), {"--set", setting});
    return all;
  }
  Result train_by(int processes, const std::string& run_dir,
                  const std::vector<std::string>& settings = {}) {
    return run_program(scratch_.path(), arguments(processes, run_dir, settings));
  }
  void expect_the_same(const std::vector<int>& numbers, const std::vector<std::string>& settings) {
    const Result one = train_by(1, "one", settings);
    ASSERT_EQ(one.code, 0) << one.err;
    for (const int processes : numbers) {
      const std::string folder = "of" + std::to_string(processes);
      const Result many = train_by(processes, folder, settings);
      ASSERT_EQ(many.code, 0) << many.err;
      expect_equal_runs("one", folder, kLast);
      EXPECT_NE(many.out.find(base::str(processes, " processes of 1 thread")), std::string::npos)
          << many.out;
    }
  }
  // Starts a run, lets it take a few steps, and hands over its processes.
  std::vector<pid_t> begin(Process& process, const std::string& run_dir) {
    EXPECT_TRUE(process.wait_for(scratch_ / (run_dir + "/metrics.jsonl"), "\"step\":3,"));
    return children_of(process.id());
  }

  // One process of a run of two, as torchrun starts it; the other one never comes.
  Process begin_alone(int rank, const std::string& run_dir) {
    const std::map<std::string, std::string> variables{
        {"RANK", std::to_string(rank)},
        {"WORLD_SIZE", "2"},
        {"LOCAL_RANK", "0"},
        {"LOCAL_WORLD_SIZE", "2"},
        {"MASTER_ADDR", "127.0.0.1"},
        {"MASTER_PORT", std::to_string(free_port())}};
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    Process process(scratch_.path(), {"train", "tiny.json", "--run-dir", run_dir});
    for (const auto& [name, value] : variables) ::unsetenv(name.c_str());
    return process;
  }

  static constexpr const char* kLast = "00000012";
  std::vector<std::string> common_{"train.steps=12", "train.micro_batch=1"};
};

TEST_F(ProcessesTest, GiveTheBytesOfOne) {
  expect_the_same({2, 4}, {});
  const std::string resolved = slurp(scratch_ / "one/resolved.json");
  EXPECT_EQ(resolved, slurp(scratch_ / "of4/resolved.json"));
  EXPECT_NE(resolved.find("\"reduction\": \"exact\""), std::string::npos) << resolved;
}

TEST_F(ProcessesTest, GiveTheBytesOfOneInBf16) {
  expect_the_same({2},
                  {"precision=bf16", "model.tied=true", "probes.spectra.params=[\"matrices\"]"});
}

TEST_F(ProcessesTest, ReduceAnyNumberOfMicroBatches) {
  common_ = {"train.steps=12", "train.micro_batch=1", "train.batch=6"};
  expect_the_same({3}, {"train.qk_clip=0.5", "model.qk_norm=none", "train.average=0.5"});
}

// Rules that are divided by elements and by matrices, with the options of all rules, and probes
// that read gradients and moments.
constexpr const char* kManyRules = R"({
  "name": "many", "threads": 2,
  "data": {"kind": "biographies", "m": 3, "tokenizer": {"kind": "byte"}},
  "model": {"layers": 2, "width": 32, "heads": 2, "kv_heads": 1, "context": 16},
  "optimizers": {
    "normuon": {"rule": "normuon"}, "adamuon": {"rule": "adamuon", "floor": 0.001},
    "soap": {"rule": "soap", "cautious": true, "decay": 0.1}, "dion2": {"rule": "dion2", "normalize": true},
    "scion": {"rule": "scion"}, "ember": {"rule": "ember", "hyperball": true},
    "lion": {"rule": "lion", "cautious": true, "decay": 0.1},
    "signsgd": {"rule": "signsgd", "momentum": 0.9}, "sgd": {"rule": "sgd", "floor": 0.001}},
  "assign": [
    {"params": ["q"], "optimizer": "normuon"}, {"params": ["k"], "optimizer": "adamuon"},
    {"params": ["v"], "optimizer": "soap"}, {"params": ["o"], "optimizer": "dion2"},
    {"params": ["ffn_in"], "optimizer": "scion"}, {"params": ["ffn_gate", "ffn_out"], "optimizer": "ember"},
    {"params": ["embed"], "optimizer": "lion"}, {"params": ["head"], "optimizer": "signsgd"},
    {"params": ["norm"], "optimizer": "sgd"}],
  "train": {"steps": 12, "batch": 6, "micro_batch": 1, "clip": 1.0, "average": 0.5},
  "eval": {"every": 6, "samples": 6},
  "checkpoint": {"every": 5},
  "probes": {"spectra": {"every": 4, "params": ["matrices", "head"], "updates": true, "gradients": true},
             "token_rows": {"every": 4}}
})";

TEST_F(ProcessesTest, GiveTheBytesOfOneWithEveryRule) {
  std::ofstream(scratch_ / "tiny.json") << kManyRules;
  common_.clear();
  const Result one = train_by(1, "one");
  ASSERT_EQ(one.code, 0) << one.err;
  const Result many = train_by(3, "many");
  ASSERT_EQ(many.code, 0) << many.err;
  expect_equal_runs("one", "many", kLast);
  for (const char* file : {"/token_rows.jsonl", "/checkpoints/step-00000010/optimizer.safetensors"})
    EXPECT_TRUE(slurp(scratch_ / ("one" + std::string(file))) ==
                slurp(scratch_ / ("many" + std::string(file))))
        << file;
}

TEST_F(ProcessesTest, GrowTheBatchTogether) {
  const std::vector<std::string> ramp{
      "train.batch=8", R"(train.batch_ramp=[{"batch":2,"steps":3},{"batch":4,"tokens":256}])"};
  expect_the_same({2}, ramp);
  const std::string plan = slurp(scratch_ / "one/plan.json");
  EXPECT_NE(plan.find("\"first_step\": 6"), std::string::npos) << plan;
  EXPECT_EQ(train_by(4, "four", ramp).code, 1) << "the first stage has two micro-batches";
  // Killed in a stage and resumed by another number of processes.
  run_with_kills("killed", 2,
                 {"--set", "train.steps=12", "--set", "train.micro_batch=1", "--set", ramp[0],
                  "--set", ramp[1]},
                 5);
  expect_equal_runs("one", "killed", kLast);
}

TEST_F(ProcessesTest, TheFastOrderTrainsButPromisesNothing) {
  const Result fast = train_by(2, "fast", {"train.reduction=fast"});
  EXPECT_EQ(fast.code, 0) << fast.err;
  EXPECT_TRUE(fs::exists(final_checkpoint("fast", kLast)));
}

TEST_F(ProcessesTest, ThatCannotShareTheWorkEvenlyAreRefused) {
  const Result three = train_by(3, "three");
  EXPECT_EQ(three.code, 1);
  EXPECT_NE(three.err.find("3 processes cannot share 4 micro-batches a step"), std::string::npos)
      << three.err;
  EXPECT_NE(three.err.find("possible are 1, 2, 4"), std::string::npos) << three.err;
  EXPECT_EQ(three.err.find("error"), three.err.rfind("error")) << "said once: " << three.err;
  EXPECT_FALSE(fs::exists(scratch_ / "three")) << "nothing is left behind";
}

TEST_F(ProcessesTest, AnErrorIsSaidOnce) {
  const Result wrong = train_by(2, "wrong", {"model.layrs=3"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_EQ(wrong.err.find("layrs"), wrong.err.rfind("layrs")) << wrong.err;
  const Result diverged = train_by(2, "diverged", {"optimizers.adam.lr=1e30", "train.clip=0"});
  EXPECT_EQ(diverged.code, 3);
  EXPECT_EQ(diverged.err.find("error"), diverged.err.rfind("error")) << diverged.err;
}

TEST_F(ProcessesTest, StopTogetherAndResumeWithAnotherNumber) {
  common_[0] = "train.steps=60";
  ASSERT_EQ(train_by(1, "straight").code, 0);
  {
    Process process(scratch_.path(), arguments(2, "stopped"));
    begin(process, "stopped");
    process.signal(SIGTERM);
    const Result stopped = process.wait();
    EXPECT_EQ(stopped.code, 130) << stopped.err;
    EXPECT_NE(stopped.out.find("SIGTERM  saved"), std::string::npos) << stopped.out;
  }
  const Result resumed = train_by(4, "stopped");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.out.find("resumes at step"), std::string::npos) << resumed.out;
  expect_equal_runs("straight", "stopped", "00000060");
}

TEST_F(ProcessesTest, AProcessThatDiesIsNamedAndTheRunResumes) {
  common_[0] = "train.steps=60";
  ASSERT_EQ(train_by(1, "straight").code, 0);
  for (const size_t victim : {1u, 0u}) {
    Process process(scratch_.path(), arguments(2, "killed"));
    const std::vector<pid_t> ranks = begin(process, "killed");
    ASSERT_EQ(ranks.size(), 2u);
    kill(ranks[victim], SIGKILL);
    const Result killed = process.wait();
    EXPECT_NE(killed.code, 0);
    EXPECT_NE(killed.err.find(base::str("rank ", victim, " (process ")), std::string::npos)
        << killed.err;
    EXPECT_NE(killed.err.find(base::str("rank ", victim, " on ")), std::string::npos)
        << "by the other process: " << killed.err;
    if (victim == 1) fs::remove_all(scratch_ / "killed");
  }
  const Result resumed = train_by(1, "killed");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  expect_equal_runs("straight", "killed", "00000060");
}

TEST_F(ProcessesTest, AProcessThatHangsStopsTheOthers) {
  std::vector<std::string> all = arguments(2, "hung", {"train.steps=2000"});
  all.insert(all.end(), {"--patience", "3s"});
  Process process(scratch_.path(), all);
  const std::vector<pid_t> ranks = begin(process, "hung");
  ASSERT_EQ(ranks.size(), 2u);
  kill(ranks[1], SIGSTOP);
  // The launcher kills what is still stopped some seconds later; the other has ended long before.
  while (process.running() && children_of(process.id()).size() == 2)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  kill(ranks[1], SIGKILL);
  const Result hung = process.wait();
  EXPECT_EQ(hung.code, 1);
  EXPECT_NE(hung.err.find("rank 1 on "), std::string::npos) << hung.err;
  EXPECT_NE(hung.err.find("has not answered for 3.0 s"), std::string::npos) << hung.err;
}

TEST_F(ProcessesTest, ADeathBeforeTheMeetingEndsTheOthers) {
  for (const size_t victim : {1u, 0u}) {
    Process process(scratch_.path(), arguments(2, "early"));
    std::vector<pid_t> ranks;
    ASSERT_TRUE(becomes_true([&] { return (ranks = children_of(process.id())).size() == 2; }));
    kill(ranks[victim], SIGKILL);
    const Result early = process.wait();
    EXPECT_EQ(early.code, victim == 0 ? 128 + SIGKILL : 1) << early.err;
    EXPECT_NE(early.err.find(base::str("rank ", victim, " (process ")), std::string::npos)
        << early.err;
    EXPECT_NE(early.err.find(base::str("rank ", victim, " on ")), std::string::npos)
        << "by the other process: " << early.err;
    EXPECT_FALSE(fs::exists(scratch_ / "early"));
  }
}

TEST_F(ProcessesTest, ASignalEndsTheWaitForTheOthers) {
  for (const int rank : {0, 1}) {  // one waits for the other rank, one for the meeting point
    Process process = begin_alone(rank, "waiting");
    ASSERT_TRUE(becomes_true([&] { return has_handler(process.id(), SIGINT); }));
    process.signal(SIGINT);
    const Result stopped = process.wait();
    EXPECT_EQ(stopped.code, 130) << "rank " << rank << ": " << stopped.err;
    EXPECT_EQ(stopped.err.find("error"), std::string::npos) << stopped.err;
    EXPECT_FALSE(fs::exists(scratch_ / "waiting"));
  }
}

TEST_F(ProcessesTest, AreSuspendedAndContinuedTogether) {
  common_[0] = "train.steps=400";
  ASSERT_EQ(train_by(1, "straight").code, 0);
  std::vector<std::string> all = arguments(2, "suspended");
  all.insert(all.end(), {"--patience", "4s"});
  Process process(scratch_.path(), all);
  std::vector<pid_t> everyone = begin(process, "suspended");
  ASSERT_EQ(everyone.size(), 2u);
  everyone.push_back(process.id());
  process.signal(SIGTSTP);  // Ctrl-Z
  EXPECT_TRUE(becomes_true([&] {
    return std::all_of(everyone.begin(), everyone.end(),
                       [](pid_t one) { return facts_of(one).state == 'T'; });
  }));
  const std::string before = slurp(scratch_ / "suspended/metrics.jsonl");
  std::this_thread::sleep_for(std::chrono::seconds(6));  // longer than the patience
  EXPECT_EQ(slurp(scratch_ / "suspended/metrics.jsonl"), before);
  process.signal(SIGCONT);
  const Result continued = process.wait();
  ASSERT_EQ(continued.code, 0) << continued.err;
  expect_equal_runs("straight", "suspended", "00000400");
}

// One process or all of them killed at any moment, and resumed by another number of processes.
using ProcessesSlow = ProcessesTest;

TEST_F(ProcessesSlow, KilledSixtyTimesTheyReachTheStateOfAStraightRun) {
  common_[0] = "train.steps=400";
  ASSERT_EQ(train_by(1, "straight").code, 0);
  std::mt19937 random(7);
  const std::string metrics = scratch_ / "killed/metrics.jsonl";
  const int numbers[] = {1, 2, 4};
  int kills = 0;
  for (int start = 0; start < 75 && kills < 60; ++start) {
    const int processes = numbers[random() % 3];
    Process process(scratch_.path(), arguments(processes, "killed"));
    const std::string before = slurp(metrics);
    while (process.running() && slurp(metrics) == before)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60000));
    std::vector<pid_t> ranks = children_of(process.id());
    if (ranks.empty()) ranks = {process.id()};
    const bool all = random() % 2 == 0;
    const size_t victim = random() % ranks.size();
    for (size_t i = 0; i < ranks.size(); ++i) {
      if (all || i == victim) kill(ranks[i], SIGKILL);
    }
    const Result end = process.wait();
    if (end.code == 0) break;
    ++kills;
  }
  EXPECT_GE(kills, 60);
  const Result last = train_by(2, "killed");
  ASSERT_EQ(last.code, 0) << last.err;
  expect_equal_runs("straight", "killed", "00000400");
}

}  // namespace
}  // namespace muonlab::support
