#include "muonlab/comm/launch.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "comm/meeting.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/process.hpp"
#include "muonlab/comm/communicator.hpp"

extern char** environ;

namespace muonlab::comm {
namespace {

constexpr int kCannotRun = 127;
constexpr double kGrace_s = 10;
constexpr const char* kPrefix = "0";  // of the keys at the meeting point
constexpr int kPassedOn[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};

// Signals wait until take() asks for them; those that end a process by default do not end this one.
class Signals {
 public:
  Signals() {
    ::sigemptyset(&asked_);
    ::sigaddset(&asked_, SIGCHLD);
    ::sigaddset(&asked_, SIGTSTP);
    ::sigaddset(&asked_, SIGALRM);  // of --max-time, which each process counts by itself
    for (const int number : kPassedOn) ::sigaddset(&asked_, number);
    ::signal(SIGPIPE, SIG_IGN);  // of a process that dies while the meeting point answers it
    ::sigprocmask(SIG_BLOCK, &asked_, &before_);
  }
  ~Signals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // The next signal, 0 after a moment without one.
  int take() const {
    const timespec moment{0, 200'000'000};
    const int number = ::sigtimedwait(&asked_, nullptr, &moment);
    return number > 0 ? number : 0;
  }

 private:
  sigset_t asked_, before_;
};

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (std::string& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> environment_of(int rank, int size, int port) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  const auto set = [&](const std::string& name, const std::string& value) {
    std::erase_if(all, [&](const std::string& entry) { return entry.starts_with(name + "="); });
    all.push_back(name + "=" + value);
  };
  set("RANK", std::to_string(rank));
  set("WORLD_SIZE", std::to_string(size));
  set("LOCAL_RANK", std::to_string(rank));
  set("LOCAL_WORLD_SIZE", std::to_string(size));
  set("MASTER_ADDR", "127.0.0.1");
  set("MASTER_PORT", std::to_string(port));
  set("TORCHELASTIC_USE_AGENT_STORE", "True");
  set("TORCHELASTIC_RESTART_COUNT", kPrefix);
  return all;
}

// In the child: only what is allowed between fork and exec.
[[noreturn]] void become(char** arguments, char** environment, int parent) {
  ::setpgid(0, 0);  // Ctrl-C reaches it through the parent alone, once
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kCannotRun);  // it died before the line above
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(arguments[0], arguments, environment);
  ::_exit(kCannotRun);
}

class Processes {
 public:
  ~Processes() { signal(SIGKILL); }

  void start(std::vector<std::string> command, std::vector<std::string> environment) {
    std::vector<char*> arguments = pointers(command), variables = pointers(environment);
    const int parent = ::getpid(), id = ::fork();
    if (id == 0) become(arguments.data(), variables.data(), parent);
    if (id < 0) throw base::Error(command[0], ": cannot be started: ", std::strerror(errno));
    ids_.push_back(id);
    codes_.emplace_back();
  }

  void signal(int number) const {
    for (size_t rank = 0; rank < ids_.size(); ++rank) {
      if (codes_[rank]) continue;
      ::kill(ids_[rank], number);
      if (number != SIGKILL && number != SIGSTOP)
        ::kill(ids_[rank], SIGCONT);  // one that was stopped would not hear
    }
  }

  // Ctrl-Z reaches this process alone, which therefore stops and continues the others with it.
  void suspend() const {
    signal(SIGSTOP);
    ::raise(SIGSTOP);  // returns after SIGCONT; SIGTSTP is ignored where no shell watches the group
    signal(SIGCONT);
  }

  // Notes which have ended; says so where a signal ended one.
  void reap() {
    for (size_t rank = 0; rank < ids_.size(); ++rank) {
      int status = 0;
      if (codes_[rank] || ::waitpid(ids_[rank], &status, WNOHANG) != ids_[rank]) continue;
      codes_[rank] = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      if (*codes_[rank] == 0 || !failure_.empty()) continue;
      const std::string how = WIFSIGNALED(status)
                                  ? base::str(" was ended by signal ", WTERMSIG(status), ", ",
                                              ::strsignal(WTERMSIG(status)))
                                  : base::str(" ended with exit code ", *codes_[rank]);
      if (WIFSIGNALED(status)) base::log_error("rank ", rank, " (process ", ids_[rank], ")", how);
      failure_ = name_of(static_cast<int>(rank), base::host_name()) + how;
    }
  }

  bool any_runs() const {
    for (const auto& code : codes_) {
      if (!code) return true;
    }
    return false;
  }
  // How the first that failed has ended, as a sentence; empty where none has failed.
  const std::string& failure() const { return failure_; }
  bool first_has_ended() const { return codes_[0].has_value(); }

  int exit_code() const {
    for (const auto& code : codes_) {
      if (code.value_or(0) != 0) return *code;  // rank 0 comes first
    }
    return 0;
  }

 private:
  std::vector<int> ids_;
  std::vector<std::optional<int>> codes_;
  std::string failure_;
};

c10::intrusive_ptr<c10d::TCPStore> open_store() {
  c10d::TCPStoreOptions options;
  options.port = 0;  // one that is free
  options.isServer = true;
  options.waitWorkers = false;
  try {
    return c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
  } catch (const std::exception& failure) {
    throw base::Error("the meeting point of the processes could not be opened on 127.0.0.1: ",
                      failure.what());
  }
}

}  // namespace

std::vector<std::string> own_command() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size(); at = text.find('\0', at) + 1)
    words.emplace_back(text.c_str() + at);
  base::check(!words.empty(), "the process' own command cannot be read");
  words[0] = base::own_program();
  return words;
}

int launch(const std::vector<std::string>& command, int processes, double patience_s) {
  if (!missing().empty()) throw base::Error(missing());
  const Signals signals;
  const c10::intrusive_ptr<c10d::TCPStore> store = open_store();
  Processes running;
  for (int rank = 0; rank < processes; ++rank)
    running.start(command, environment_of(rank, processes, store->getPort()));
  std::optional<base::Stopwatch> since_end;  // of the first that failed, or of rank 0
  bool is_told = false;
  while (running.any_runs()) {
    const int number = signals.take();
    if (number == SIGTSTP) {
      running.suspend();
    } else if (number != 0 && number != SIGCHLD && number != SIGALRM) {
      running.signal(number);
    }
    running.reap();
    if (!is_told && !running.failure().empty()) {
      is_told = true;
      report_absence(*part_of(store, kPrefix), running.failure());
    }
    if (!since_end && (is_told || running.first_has_ended())) since_end.emplace();
    if (since_end && since_end->seconds() > patience_s + kGrace_s) running.signal(SIGKILL);
  }
  return running.exit_code();
}

}  // namespace muonlab::comm
