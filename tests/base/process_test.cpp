#include "muonlab/base/process.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>

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

TEST(Process, ItsOutputIsReadWhileItRuns) {
  ProgramOutput program({"sh", "-c", "printf 0123456789; echo aside >&2; read line; exit 3"});
  char part[4] = {};
  EXPECT_EQ(program.read(part), 4u);
  EXPECT_EQ(std::string(part, 4), "0123");
  char rest[64] = {};
  EXPECT_EQ(program.read(rest), 6u);
  EXPECT_EQ(program.wait(), 3);
  EXPECT_EQ(program.wait(), 3);
}

TEST(Process, OneThatNobodyReadsAnyMoreEnds) {
  std::signal(SIGPIPE, SIG_IGN);  // as the program has it
  const Stopwatch watch;
  {
    ProgramOutput program({"sh", "-c", "while :; do echo more; done"});
    char part[4];
    program.read(part);
  }
  std::signal(SIGPIPE, SIG_DFL);
  EXPECT_LT(watch.seconds(), 10);
}

TEST(Process, RunToItsEndGivesAllItWrote) {
  const ProgramResult both = run_program({"sh", "-c", "echo one; echo two >&2; exit 7"});
  EXPECT_EQ(both.exit_code, 7);
  EXPECT_EQ(both.output, "one\ntwo\n");
  const ProgramResult missing = run_program({"no-such-program-as-this"});
  EXPECT_EQ(missing.exit_code, 127);
  EXPECT_EQ(missing.output, "no-such-program-as-this: there is no such program\n");
}

TEST(Process, SettingsOfItsEnvironmentAreAddedToOurs) {
  const TemporaryFolder folder;
  const std::string output = folder / "out.txt";
  ::setenv("MUONLAB_TEST_ONE", "ours", 1);
  ::setenv("MUONLAB_TEST_ONE_MORE", "ours", 1);
  ChildProcess child({"/bin/sh", "-c",
                      "echo $MUONLAB_TEST_ONE $MUONLAB_TEST_ONE_MORE $MUONLAB_TEST_TWO; "
                      "env | grep -c ^MUONLAB_TEST_ONE="},
                     output, {"MUONLAB_TEST_ONE=its own", "MUONLAB_TEST_TWO=2"});
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(read_text(output), "its own ours 2\n1\n");
}

TEST(Process, ASignalEndsItAndIsTold) {
  const TemporaryFolder folder;
  ChildProcess child({"/bin/sleep", "60"}, folder / "out.txt");
  EXPECT_FALSE(child.poll().has_value());
  child.signal(SIGTERM);
  EXPECT_EQ(wait_for(child), 128 + SIGTERM);
}

TEST(Process, AStoppedOneEndsWhenAskedTo) {
  const TemporaryFolder folder;
  ChildProcess child({"/bin/sleep", "60"}, folder / "out.txt");
  child.signal(SIGSTOP);
  child.ask_to_end();
  EXPECT_EQ(wait_for(child), 128 + SIGTERM);
}

// A parent may leave SIGCHLD ignored, and then the kernel reaps children itself.
TEST(Process, ItsExitCodeIsKeptWhereSigchldWasIgnored) {
  const TemporaryFolder folder;
  ::signal(SIGCHLD, SIG_IGN);
  ChildProcess child({"/bin/sh", "-c", "exit 7"}, folder / "out.txt");
  EXPECT_EQ(wait_for(child), 7);
}

// A rebuild replaces the program's file while it runs.
TEST(Process, ItsOwnProgramIsTheOneThatRuns) {
  EXPECT_NE(own_program(), "/proc/self/exe");
  const TemporaryFolder folder;
  const std::string program = folder / "program", output = folder / "out.txt";
  const std::string copy = "cp " + own_program() + " " + program;
  ASSERT_EQ(std::system(copy.c_str()), 0);
  ChildProcess replaced(
      {program, "--gtest_filter=ReplacedProgram.*", "--gtest_also_run_disabled_tests"}, output);
  EXPECT_EQ(wait_for(replaced), 0) << read_text(output);
  EXPECT_NE(read_text(output).find("[       OK ] ReplacedProgram"), std::string::npos);
}

// Runs as a process of its own, above.
TEST(ReplacedProgram, DISABLED_StartsItselfAllTheSame) {
  const TemporaryFolder folder;
  const std::string before = own_program();
  ASSERT_EQ(std::remove(before.c_str()), 0);
  write_atomically(before, "#!/bin/false\n");
  EXPECT_EQ(own_program(), "/proc/self/exe");
  ChildProcess again({own_program(), "--gtest_list_tests"}, folder / "out.txt");
  EXPECT_EQ(wait_for(again), 0);
  EXPECT_NE(read_text(folder / "out.txt").find("ReplacedProgram"), std::string::npos);
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
