#include "muonlab/base/signals.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace muonlab::base {
namespace {

std::atomic<int> first_signal{0};
std::atomic<int> interrupts{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not lock");

void on_signal(int number) {
  int none = 0;
  first_signal.compare_exchange_strong(none, number);
  if (number != SIGINT || interrupts.fetch_add(1) != 1) return;
  constexpr char kGoodbye[] =
      "\nSIGINT again: left at once. The same command goes on from the newest checkpoint.\n";
  [[maybe_unused]] const ssize_t ignored = ::write(2, kGoodbye, sizeof kGoodbye - 1);
  ::_exit(128 + SIGINT);
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  struct sigaction before {};
  ::sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) ::sigaction(SIGHUP, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

int stop_requested() { return first_signal.load(); }

void clear_stop_request() {
  first_signal.store(0);
  interrupts.store(0);
}

const char* signal_name(int number) {
  switch (number) {
    case SIGINT: return "SIGINT";
    case SIGTERM: return "SIGTERM";
    case SIGHUP: return "SIGHUP";
    default: return "a signal";
  }
}

}  // namespace muonlab::base
