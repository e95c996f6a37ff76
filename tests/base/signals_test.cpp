#include "muonlab/base/signals.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

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
              install_signal_handlers();
              if (stop_requested() != 0) return 99;
              ::raise(SIGTERM);
              ::raise(SIGINT);
              return stop_requested();
            }),
            SIGTERM);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    EXPECT_EQ(in_child([&] {
                install_signal_handlers();
                ::raise(number);
                return stop_requested();
              }),
              number);
  }
}

TEST(Signals, ASecondInterruptLeavesAtOnce) {
  EXPECT_EQ(in_child([] {
              install_signal_handlers();
              ::raise(SIGINT);
              ::raise(SIGTERM);
              ::raise(SIGINT);
              return 7;
            }),
            130);
}

TEST(Signals, ClearingForgets) {
  EXPECT_EQ(in_child([] {
              install_signal_handlers();
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
              install_signal_handlers();
              int ends[2];
              if (::pipe(ends) != 0) return 99;
              ::close(ends[0]);
              return ::write(ends[1], "x", 1) == -1 ? 5 : 6;
            }),
            5);
}

TEST(Signals, NohupStaysIgnored) {
  EXPECT_EQ(in_child([] {
              ::signal(SIGHUP, SIG_IGN);
              install_signal_handlers();
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
