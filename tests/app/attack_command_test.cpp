// What others do to a run's folder while it trains, links in a folder that somebody else made, and
// signals of a batch system.
#include <sys/resource.h>

#include <gtest/gtest.h>

#include "app/train_fixture.hpp"

namespace muonlab {
namespace {

using support::Process;
using support::Result;
using support::run_program;
using support::slurp;
namespace fs = std::filesystem;

class AttackCommand : public support::TrainFixture {
 protected:
  // A run that would take minutes, some steps after its first checkpoint.
  Process long_run(const std::string& run_dir) {
    Process process(scratch_.path(),
                    {"train", "tiny.json", "--run-dir", run_dir, "--set", "train.steps=90000",
                     "--set", "probes.spectra=null", "--set", "eval.every=0"});
    EXPECT_TRUE(process.wait_for(scratch_ / (run_dir + "/metrics.jsonl"), "\"step\":6,"));
    return process;
  }
  Result resume(const std::string& run_dir, int steps) {
    return run_program(scratch_.path(), {"train", "--resume", run_dir, "--set",
                                         "train.steps=" + std::to_string(steps)});
  }
  static int64_t last_step(const fs::path& run_dir) {
    const std::string metrics = slurp(run_dir / "metrics.jsonl");
    const size_t at = metrics.rfind("\"step\":");
    return at == std::string::npos ? 0 : std::stoll(metrics.substr(at + 7));
  }
};

TEST_F(AttackCommand, AMovedRunIsSavedWhereItIsNow) {
  Process process = long_run("a");
  fs::rename(scratch_ / "a", scratch_ / "b");
  const Result fresh = train({"--run-dir", "a"});
  EXPECT_EQ(fresh.code, 0) << fresh.err;
  EXPECT_EQ(last_step(scratch_ / "a"), 30) << "a run of its own";
  const Result moved = process.wait();
  EXPECT_EQ(moved.code, 1);
  EXPECT_NE(moved.err.find("the folder a was moved while it was in use; it is now " +
                           (scratch_ / "b") + ". The run is saved there, at step "),
            std::string::npos)
      << moved.err;
  EXPECT_EQ(support::tree(scratch_ / "a/checkpoints").size(),
            2 * support::tree(final_checkpoint("a")).size());
  const int steps = static_cast<int>(last_step(scratch_ / "b"));
  const Result resumed = resume("b", steps + 2);
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.out.find("resumes at step " + std::to_string(steps) + " "), std::string::npos)
      << resumed.out;
}

TEST_F(AttackCommand, ARemovedRunComesNotBackAndItsStateIsKept) {
  Process process = long_run("a");
  fs::rename(scratch_ / "a", scratch_ / "gone");  // in one step, as no removal is
  // A save that is being written may rename what is just being removed.
  for (std::error_code raced; fs::exists(scratch_ / "gone");)
    fs::remove_all(scratch_ / "gone", raced);
  const Result removed = process.wait();
  EXPECT_EQ(removed.code, 1);
  // The process may look while the folder is only half removed, when its lock is gone already.
  for (const char* part : {"was removed", "The state of the run is saved in a.rescued"}) {
    EXPECT_NE(removed.err.find(part), std::string::npos) << part << "\n" << removed.err;
  }
  EXPECT_FALSE(fs::exists(scratch_ / "a"));
  const std::string step = fs::directory_iterator(scratch_ / "a.rescued/checkpoints")
                               ->path()
                               .filename()
                               .string()
                               .substr(5);
  const int steps = std::stoi(step);
  const Result resumed = resume("a.rescued", steps + 2);
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(last_step(scratch_ / "a.rescued"), steps + 2);
}

TEST_F(AttackCommand, NoLinkInAFolderIsWrittenThrough) {
  ASSERT_EQ(train({"--run-dir", "run"}).code, 0);
  const std::string victim = scratch_ / "victim";
  std::ofstream(victim) << "precious";
  for (const std::string name :
       {".lock", "metrics.jsonl", "timing.jsonl", "log.txt", "spectra.jsonl"}) {
    fs::rename(scratch_ / ("run/" + name), scratch_ / "kept");
    fs::create_symlink("../victim", scratch_ / ("run/" + name));
    const Result result = resume("run", 34);
    EXPECT_EQ(result.code, 1) << name;
    EXPECT_NE(result.err.find("run/" + name + ": is a symbolic link"), std::string::npos)
        << result.err;
    EXPECT_EQ(slurp(victim), "precious") << name;
    fs::rename(scratch_ / "kept", scratch_ / ("run/" + name));
  }
  fs::rename(scratch_ / "run/checkpoints", scratch_ / "checkpoints");
  fs::create_symlink("../checkpoints", scratch_ / "run/checkpoints");
  EXPECT_NE(resume("run", 34).err.find("run/checkpoints: is a symbolic link"), std::string::npos);
  fs::remove(scratch_ / "run/checkpoints");
  fs::rename(scratch_ / "checkpoints", scratch_ / "run/checkpoints");
  // Names that an earlier version wrote its temporary files to, and a link to the whole folder.
  for (const std::string name : {"resolved.json.tmp", "plan.json.tmp", "config.json"}) {
    fs::remove(scratch_ / ("run/" + name));
    fs::create_symlink("../victim", scratch_ / ("run/" + name));
  }
  fs::create_directory_symlink("run", scratch_ / "linked");
  const Result linked = train({"--run-dir", "linked", "--set", "train.steps=34"});
  EXPECT_EQ(linked.code, 0) << linked.err;
  EXPECT_EQ(slurp(victim), "precious");
}

TEST_F(AttackCommand, AHardLinkInAFolderIsReplacedByACopy) {
  ASSERT_EQ(train({"--run-dir", "run"}).code, 0);
  fs::create_directory(scratch_ / "backup");
  for (const std::string name :
       {".lock", "metrics.jsonl", "timing.jsonl", "log.txt", "history.jsonl"}) {
    fs::create_hard_link(scratch_ / ("run/" + name), scratch_ / ("backup/" + name));
  }
  const auto before = support::tree(scratch_ / "backup");
  const Result longer = resume("run", 34);
  EXPECT_EQ(longer.code, 0) << longer.err;
  EXPECT_EQ(last_step(scratch_ / "run"), 34);
  EXPECT_EQ(support::tree(scratch_ / "backup"), before);
}

TEST_F(AttackCommand, WhatABatchSystemSendsSavesAndEndsTheRun) {
  for (const auto& [number, name] :
       {std::pair(SIGUSR1, "SIGUSR1"), std::pair(SIGUSR2, "SIGUSR2")}) {
    Process process = long_run(name);
    process.signal(number);
    const Result stopped = process.wait();
    EXPECT_EQ(stopped.code, 130) << name;
    EXPECT_NE(stopped.out.find(std::string(name) + "  saved"), std::string::npos) << stopped.out;
  }
}

TEST_F(AttackCommand, APeriodicSaveMayFailAndTheLastOneMayNot) {
  Process process = long_run("a");
  const auto is_saved = [&] {
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(scratch_ / "a/checkpoints", missing)) {
      if (entry.path().filename().string().starts_with("step-")) return true;
    }
    return false;
  };
  while (process.running() && !is_saved())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // Files of more than 64 KiB cannot be written: the model cannot, its record can.
  const rlimit small{65536, RLIM_INFINITY};
  ASSERT_EQ(::prlimit(process.id(), RLIMIT_FSIZE, &small, nullptr), 0);
  const int64_t before = last_step(scratch_ / "a");
  while (process.running() && last_step(scratch_ / "a") < before + 12)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_TRUE(process.running()) << process.wait().err;
  process.signal(SIGTERM);
  const Result stopped = process.wait();
  EXPECT_EQ(stopped.code, 1) << stopped.out;
  EXPECT_NE(stopped.err.find("warning: the checkpoint of step "), std::string::npos) << stopped.err;
  EXPECT_NE(stopped.err.find("Training continues; until the next save succeeds, the run can be "
                             "resumed from a/checkpoints/step-"),
            std::string::npos)
      << stopped.err;
  EXPECT_NE(stopped.err.find("error: the checkpoint of step "), std::string::npos) << stopped.err;
  EXPECT_NE(stopped.err.find("size limit"), std::string::npos) << stopped.err;
  EXPECT_EQ(resume("a", static_cast<int>(last_step(scratch_ / "a"))).code, 0);
}

TEST_F(AttackCommand, ASweepFollowsNoLink) {
  std::ofstream(scratch_ / "sweep.json")
      << R"({"base": "tiny.json", "axes": {"row": {"a": {"train.clip": 0.5}}}})";
  const auto sweep = [&] {
    return run_program(scratch_.path(), {"sweep", "sweep.json", "--out", "s"});
  };
  const std::string victim = scratch_ / "victim";
  std::ofstream(victim) << "precious";
  fs::create_directories(scratch_ / "s/output");
  fs::create_symlink("../../victim", scratch_ / "s/output/s1.txt");
  const Result output = sweep();
  EXPECT_EQ(output.code, 1);
  EXPECT_NE(output.err.find("s/output/s1.txt: cannot open for writing"), std::string::npos)
      << output.err;
  fs::remove_all(scratch_ / "s/failures");
  fs::create_directory_symlink("..", scratch_ / "s/failures");
  const Result failures = sweep();
  EXPECT_NE(failures.err.find("s/failures: is a symbolic link"), std::string::npos) << failures.err;
  EXPECT_EQ(slurp(victim), "precious");
}

// JSON has neither bytes that are not UTF-8 nor a promise of types.
TEST_F(AttackCommand, NamesOfAnyBytesAndValuesOfAnyTypeAreNoBug) {
  const std::string name = "b\xff";
  ASSERT_EQ(train({"--run-dir", name, "--set", "train.steps=8"}).code, 0);
  const auto branch = [&] {
    return train({"--run-dir", "n", "--from", name + "@8", "--set", "train.steps=12"});
  };
  EXPECT_EQ(run_program(scratch_.path(), {"compare", name, name, "--json"}).code, 0);
  EXPECT_EQ(run_program(scratch_.path(), {"spectra", name, "--json"}).code, 0);
  EXPECT_EQ(branch().code, 0);
  EXPECT_EQ(branch().code, 0) << "the same command again";
  for (const char* origin : {R"({"from": 3})", R"({"from": null})", "[]", "3", "{"}) {
    std::ofstream(scratch_ / "n/origin.json") << origin;
    const Result refused = branch();
    EXPECT_EQ(refused.code, 1) << origin;
    EXPECT_NE(refused.err.find("was not branched from"), std::string::npos) << refused.err;
  }
}

TEST_F(AttackCommand, AFolderOfOtherFilesIsNotFilled) {
  fs::create_directory(scratch_ / "thesis");
  std::ofstream(scratch_ / "thesis/chapter.tex") << "x";
  for (const char* folder : {"thesis", "/"}) {
    const Result refused = train({"--run-dir", folder});
    EXPECT_EQ(refused.code, 1);
    EXPECT_NE(refused.err.find(": holds files that muonlab did not write ("), std::string::npos)
        << refused.err;
  }
  EXPECT_EQ(support::tree(scratch_ / "thesis").size(), 1u);
}

}  // namespace
}  // namespace muonlab
