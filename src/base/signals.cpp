#include "muonlab/base/signals.hpp"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>

namespace muonlab::base {
namespace {

constexpr int kStops[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, SIGALRM};

std::atomic<int> first_signal{0};
std::atomic<int> interrupts{0};
std::atomic<const char*> first_interrupt_text{nullptr};
static_assert(std::atomic<int>::is_always_lock_free &&
                  std::atomic<const char*>::is_always_lock_free,
              "a signal handler may not lock");

// Below "^C", which the terminal shows. Only what is safe in a signal handler.
void print_from_handler(const char* text) {
  if (first_interrupt_text.load() == nullptr) return;
  [[maybe_unused]] ssize_t ignored = ::write(2, "\n", 1);
  ignored = ::write(2, text, std::strlen(text));
  ignored = ::write(2, "\n", 1);
}

void on_signal(int number) {
  const int before = errno;
  int none = 0;
  first_signal.compare_exchange_strong(none, number);
  const int earlier = number == SIGINT ? interrupts.fetch_add(1) : -1;
  if (earlier == 0) print_from_handler(first_interrupt_text.load());
  if (earlier == 1) {
    print_from_handler("left without saving; the newest checkpoint is as it was");
    ::_exit(128 + SIGINT);
  }
  errno = before;
}

}  // namespace

void install_signal_handlers(const char* first_interrupt) {
  first_interrupt_text.store(first_interrupt);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  sigset_t stops;
  ::sigemptyset(&stops);
  for (const int number : kStops) {
    struct sigaction before {};
    ::sigaction(number, nullptr, &before);
    if (number != SIGHUP || before.sa_handler != SIG_IGN) ::sigaction(number, &action, nullptr);
    ::sigaddset(&stops, number);
  }
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
  ::sigaction(SIGXFSZ, &action, nullptr);
  ::pthread_sigmask(SIG_UNBLOCK, &stops, nullptr);
}

void stop_after(double seconds) {
  itimerval timer{};
  timer.it_value.tv_sec = static_cast<time_t>(seconds);
  timer.it_value.tv_usec = static_cast<suseconds_t>((seconds - std::floor(seconds)) * 1e6);
  ::setitimer(ITIMER_REAL, &timer, nullptr);
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
    case SIGUSR1: return "SIGUSR1";
    case SIGUSR2: return "SIGUSR2";
    case SIGXCPU: return "SIGXCPU";
    case SIGALRM: return "time limit";
    default: return "a signal";
  }
}

}  // namespace muonlab::base
