// How a stopped sweep ends its cells, with a script in the place of the program that trains them.
#include "study/sweep/runner.hpp"

#include <sys/stat.h>

#include <csignal>
#include <thread>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/signals.hpp"

namespace muonlab::study {
namespace {

class Runner {
 public:
  explicit Runner(const std::string& script, const std::string& device = "cpu") {
    base::write_atomically(scratch_ / "base.json", R"({"threads": 1, "train": {"steps": 10}, )" +
                                                       base::str(R"("device": ")", device, "\"}"));
    base::write_atomically(scratch_ / "sweep.json", R"({"base": "base.json", "seeds": [1, 2, 3]})");
    base::write_atomically(program_, "#!/bin/sh\n" + script);
    ::chmod(program_.c_str(), 0700);
    for (const std::string& name : {folder_.configs(), folder_.cells(), folder_.outputs(),
                                    folder_.failures(), folder_.claims()})
      base::make_directories(name);
  }

  // Runs two cells at once, asks them to end once both have printed "ready", and waits grace_s for
  // them. The seconds that the end took.
  double stop_after(double grace_s) {
    SweepQueue queue(SweepPlanner(config::load_sweep(scratch_ / "sweep.json")), folder_, "", false);
    queue.refresh();
    base::install_signal_handlers("stopping");
    double asked_s = 0;
    std::jthread stopper([&] {
      while (!is_ready("s1") || !is_ready("s2"))
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      asked_s = base::monotonic_seconds();
      ::raise(SIGTERM);
    });
    EXPECT_FALSE(SweepRunner(queue, 2, grace_s, program_).run());
    const double ended_s = base::monotonic_seconds();
    stopper.join();
    base::clear_stop_request();
    return ended_s - asked_s;
  }

  // All three cells, `jobs` at once.
  bool run(int jobs, const std::vector<Card>& cards) {
    SweepQueue queue(SweepPlanner(config::load_sweep(scratch_ / "sweep.json")), folder_, "", false);
    queue.refresh();
    return SweepRunner(queue, jobs, 1, program_, cards).run();
  }

  bool is_ready(const std::string& cell) const {
    return output(cell).find("ready") != std::string::npos;
  }
  std::string output(const std::string& cell) const {
    const std::string path = folder_.output(cell);
    return base::real_file_system().exists(path) ? base::read_text(path) : "";
  }
  bool has_failure(const std::string& cell) const {
    return base::real_file_system().exists(folder_.failure(cell));
  }

 private:
  base::TemporaryFolder scratch_;
  SweepFolder folder_ = SweepFolder(scratch_ / "out");
  std::string program_ = scratch_ / "program";
};

TEST(SweepRunner, ACellThatDoesNotEndIsKilledAfterTheGraceTime) {
  Runner sweep("trap '' TERM INT\necho ready\nwhile :; do sleep 0.02; done\n");
  const double seconds = sweep.stop_after(0.4);
  EXPECT_GE(seconds, 0.39);
  EXPECT_LT(seconds, 5);
  for (const char* cell : {"s1", "s2"}) EXPECT_FALSE(sweep.has_failure(cell)) << "it resumes";
  EXPECT_EQ(sweep.output("s3"), "") << "nothing is started after the signal";
}

TEST(SweepRunner, ACellThatSavesAndEndsIsNotKilled) {
  Runner sweep("trap 'echo saved; exit 130' TERM\necho ready\nwhile :; do sleep 0.02; done\n");
  EXPECT_LT(sweep.stop_after(60), 5);
  for (const char* cell : {"s1", "s2"}) {
    EXPECT_NE(sweep.output(cell).find("saved"), std::string::npos);
    EXPECT_FALSE(sweep.has_failure(cell)) << "an interrupted cell has not failed";
  }
  EXPECT_EQ(sweep.output("s3"), "") << "nothing is started after the signal";
}

// A program that has only been started does not catch signals yet: the signal itself ends it.
TEST(SweepRunner, ACellThatTheSignalEndsHasNotFailed) {
  Runner sweep("echo ready\nwhile :; do sleep 0.02; done\n");
  EXPECT_LT(sweep.stop_after(60), 5);
  for (const char* cell : {"s1", "s2"})
    EXPECT_FALSE(sweep.has_failure(cell)) << "it had not begun, and starts with the next sweep";
}

// The first two wait for each other, so that they run at once.
constexpr const char* kTellCard =
    "echo \"card ${CUDA_VISIBLE_DEVICES:-any}\"\n"
    "case $2 in *s3.json) exit 1;; esac\n"
    "here=$(dirname $4); touch $here/$(basename $2).ran\n"
    "i=0; while [ $(ls $here/*.ran | wc -l) -lt 2 ] && [ $i -lt 500 ]; do sleep 0.02; "
    "i=$((i+1)); done\nexit 1\n";

TEST(SweepRunner, CellsAreSpreadOverTheCards) {
  ::unsetenv("CUDA_VISIBLE_DEVICES");
  Runner sweep(kTellCard, "cuda");
  EXPECT_TRUE(sweep.run(2, {{"GPU-a", 1}, {"3", 1}}));
  EXPECT_EQ(sweep.output("s1"), "card GPU-a\n");
  EXPECT_EQ(sweep.output("s2"), "card 3\n");
  EXPECT_NE(sweep.output("s3").find("card "), std::string::npos);
  EXPECT_EQ(sweep.output("s3").find("any"), std::string::npos);
}

TEST(SweepRunner, CellsOnAProcessorTakeNoCard) {
  ::unsetenv("CUDA_VISIBLE_DEVICES");
  Runner sweep(kTellCard);
  EXPECT_TRUE(sweep.run(2, {{"0", 1}, {"1", 1}}));
  for (const char* cell : {"s1", "s2", "s3"}) EXPECT_EQ(sweep.output(cell), "card any\n");
}

TEST(Cards, MemoryAndProcessorsLimitTheRunsAtOnce) {
  const std::vector<Card> two{{"0", 80'000}, {"1", 40'000}};
  EXPECT_EQ(jobs_that_fit(two, 10'000, 64), 7 + 3) << "a card's last 5 % are the driver's";
  EXPECT_EQ(jobs_that_fit(two, 10'000, 8), 8);
  EXPECT_EQ(jobs_that_fit(two, 100'000, 8), 1) << "the run itself says that it does not fit";
  EXPECT_EQ(next_card({2, 1, 1}), 1u);
  EXPECT_EQ(next_card({0}), 0u);
}

}  // namespace
}  // namespace muonlab::study
