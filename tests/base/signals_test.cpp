#include "muonlab/base/signals.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace muonlab::base {
namespace {

// Runs the body in a process of its own; its result or 128 + the signal that ended it.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(Signals, AreNotedAndTheFirstOneIsTold) {
  EXPECT_EQ(in_child([] {
              install_signal_handlers("stopping");
              if (stop_requested() != 0) return 99;
              ::raise(SIGTERM);
              ::raise(SIGINT);
              return stop_requested();
            }),
            SIGTERM);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) {
    EXPECT_EQ(in_child([&] {
                install_signal_handlers("stopping");
                ::raise(number);
                return stop_requested();
              }),
              number);
  }
}

TEST(Signals, ATimeLimitAsksForAnEnd) {
  EXPECT_EQ(in_child([] {
              install_signal_handlers("stopping");
              stop_after(0.02);
              if (stop_requested() != 0) return 99;
              for (int i = 0; i < 200 && stop_requested() == 0; ++i) ::usleep(10000);
              return stop_requested();
            }),
            SIGALRM);
  EXPECT_STREQ(signal_name(SIGALRM), "time limit");
}

TEST(Signals, ASecondInterruptLeavesAtOnce) {
  EXPECT_EQ(in_child([] {
              install_signal_handlers("stopping");
              ::raise(SIGINT);
              ::raise(SIGTERM);
              ::raise(SIGINT);
              return 7;
            }),
            130);
}

TEST(Signals, ClearingForgets) {
  EXPECT_EQ(in_child([] {
              install_signal_handlers("stopping");
              ::raise(SIGINT);
              clear_stop_request();
              if (stop_requested() != 0) return 99;
              ::raise(SIGINT);
              return stop_requested();
            }),
            SIGINT);
}

TEST(Signals, AClosedPipeIsAnErrorNotADeath) {
  EXPECT_EQ(in_child([] {
              install_signal_handlers("stopping");
              int ends[2];
              if (::pipe(ends) != 0) return 99;
              ::close(ends[0]);
              return ::write(ends[1], "x", 1) == -1 ? 5 : 6;
            }),
            5);
}

// Whoever starts the program may have blocked them (a batch system, a thread of a server).
TEST(Signals, BlockedOnesComeThrough) {
  for (const int number : {SIGINT, SIGTERM, SIGUSR1}) {
    EXPECT_EQ(in_child([&] {
                sigset_t all;
                ::sigfillset(&all);
                ::sigprocmask(SIG_BLOCK, &all, nullptr);
                ::raise(number);
                install_signal_handlers("stopping");
                return stop_requested();
              }),
              number);
  }
}

TEST(Signals, AFileAtItsLimitIsAnErrorNotADeath) {
  EXPECT_EQ(in_child([] {
              install_signal_handlers("stopping");
              const rlimit small{10, 10};
              char path[] = "/tmp/muonlab_limit_XXXXXX";
              const int file = ::mkstemp(path);
              ::unlink(path);
              if (file < 0 || ::setrlimit(RLIMIT_FSIZE, &small) != 0) return 99;
              if (::pwrite(file, "x", 1, 10) != -1) return 98;
              return errno;
            }),
            EFBIG);
}

// The answer to the first interrupt comes at once, and once.
TEST(Signals, TheFirstInterruptAnswers) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_EQ(in_child([&] {
              ::dup2(ends[1], 2);
              install_signal_handlers("stopping after this step");
              ::raise(SIGTERM);
              ::raise(SIGINT);
              ::raise(SIGINT);
              return 7;
            }),
            130);
  ::close(ends[1]);
  char text[200] = {};
  const ssize_t length = ::read(ends[0], text, sizeof text);
  ::close(ends[0]);
  EXPECT_EQ(std::string(text, static_cast<size_t>(std::max<ssize_t>(length, 0))),
            "\nstopping after this step\n\nleft without saving; the newest checkpoint is as it "
            "was\n");
}

TEST(Signals, NohupStaysIgnored) {
  EXPECT_EQ(in_child([] {
              ::signal(SIGHUP, SIG_IGN);
              install_signal_handlers("stopping");
              ::raise(SIGHUP);
              return stop_requested();
            }),
            0);
}

TEST(Signals, HaveNames) {
  EXPECT_STREQ(signal_name(SIGINT), "SIGINT");
  EXPECT_STREQ(signal_name(SIGTERM), "SIGTERM");
}

}  // namespace
}  // namespace muonlab::base
