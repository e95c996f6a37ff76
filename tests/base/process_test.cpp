#include "muonlab/base/process.hpp"

#include <csignal>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"

namespace muonlab::base {
namespace {

int wait_for(ChildProcess& child) {
  const Stopwatch watch;
  while (watch.seconds() < 20) {
    if (const auto code = child.poll()) return *code;
    wait_for_child(0.05);
  }
  return -1;
}

TEST(Process, ItsExitCodeAndOutputAreKept) {
  const TemporaryFolder folder;
  const std::string output = folder / "out.txt";
  ChildProcess first({"/bin/sh", "-c", "echo one; echo two >&2; exit 7"}, output);
  EXPECT_EQ(wait_for(first), 7);
  ChildProcess second({"/bin/sh", "-c", "read line || echo nothing to read"}, output);
  EXPECT_EQ(wait_for(second), 0);
  EXPECT_EQ(read_text(output), "one\ntwo\nnothing to read\n");
}

TEST(Process, ASignalEndsItAndIsTold) {
  const TemporaryFolder folder;
  ChildProcess child({"/bin/sleep", "60"}, folder / "out.txt");
  EXPECT_FALSE(child.poll().has_value());
  child.signal(SIGTERM);
  EXPECT_EQ(wait_for(child), 128 + SIGTERM);
}

TEST(Process, AProgramThatIsNotThereFails) {
  const TemporaryFolder folder;
  ChildProcess child({"/no/such/program"}, folder / "out.txt");
  EXPECT_EQ(wait_for(child), 127);
  EXPECT_NE(
      error_of([&] { ChildProcess({"/bin/true"}, folder / "absent/out.txt"); }).find("absent"),
      std::string::npos);
}

// What a killed sweep leaves behind must end, too.
TEST(Process, EndsWithTheProcessThatStartedIt) {
  const TemporaryFolder folder;
  const std::string note = folder / "note.txt";
  const pid_t parent = ::fork();
  if (parent == 0) {
    ChildProcess child(
        {"/bin/sh", "-c",
         "trap 'echo told > " + note + "; exit' TERM; echo ready; while :; do sleep 0.05; done"},
        folder / "out.txt");
    ::pause();
    ::_exit(0);
  }
  const Stopwatch watch;
  const auto ready = [&] {
    return real_file_system().exists(folder / "out.txt") && !read_text(folder / "out.txt").empty();
  };
  while (!ready() && watch.seconds() < 20) ::usleep(10'000);
  ::kill(parent, SIGKILL);
  while (!real_file_system().exists(note) && watch.seconds() < 20) ::usleep(10'000);
  EXPECT_TRUE(real_file_system().exists(note));
}

}  // namespace
}  // namespace muonlab::base
