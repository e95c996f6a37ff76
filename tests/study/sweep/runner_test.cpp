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
  explicit Runner(const std::string& script) {
    base::write_atomically(scratch_ / "base.json", R"({"threads": 1, "train": {"steps": 10}})");
    base::write_atomically(scratch_ / "sweep.json", R"({"base": "base.json", "seeds": [1, 2, 3]})");
    base::write_atomically(program_, "#!/bin/sh\n" + script);
    ::chmod(program_.c_str(), 0700);
    for (const std::string& name :
         {folder_.configs(), folder_.cells(), folder_.outputs(), folder_.failures()})
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

}  // namespace
}  // namespace muonlab::study
