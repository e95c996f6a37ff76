#include "muonlab/base/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <ctime>

#include "base/posix_file_system.hpp"
#include "muonlab/base/file.hpp"

namespace muonlab::base {
namespace {

constexpr int kCannotRun = 127;

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// After fork only calls that are safe there.
[[noreturn]] void become(char* const* arguments, char* const* environment, int output, int parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kCannotRun);  // it died before the line above
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::signal(SIGXFSZ, SIG_DFL);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execve(arguments[0], arguments, environment);
  ::_exit(kCannotRun);
}

// Of strings that outlive it, as exec takes them.
std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// This process's environment with `settings` in place of its own of the same names.
std::vector<std::string> environment_with(const std::vector<std::string>& settings) {
  std::vector<std::string> all = settings;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string own = *entry;
    const std::string name = own.substr(0, own.find('=') + 1);
    const auto same = [&](const std::string& setting) { return setting.starts_with(name); };
    if (std::none_of(settings.begin(), settings.end(), same)) all.push_back(own);
  }
  return all;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, const std::string& output,
                           const std::vector<std::string>& environment) {
  separate_from_links({output, {}, AT_FDCWD, output, false});
  const int file =
      ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) throw io_error("open for writing", output, errno);
  const std::vector<char*> arguments = pointers(command);
  const std::vector<std::string> settings = environment_with(environment);
  const std::vector<char*> variables = pointers(settings);
  const int parent = ::getpid();
  // Where a parent left it ignored, the kernel would keep no exit code and send no signal.
  ::signal(SIGCHLD, SIG_DFL);
  id_ = ::fork();
  if (id_ == 0) become(arguments.data(), variables.data(), file, parent);
  const int number = errno;
  ::close(file);
  if (id_ < 0) throw io_error("start", command.front(), number);
  ::setpgid(id_, id_);  // by whichever of the two comes first
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : id_(other.id_), exit_code_(other.exit_code_) {
  other.id_ = -1;
}

ChildProcess::~ChildProcess() {
  if (id_ < 0 || exit_code_) return;
  ::kill(id_, SIGKILL);
  ::waitpid(id_, nullptr, 0);
}

void ChildProcess::signal(int number) const {
  if (!exit_code_) ::kill(id_, number);
}

void ChildProcess::ask_to_end() const {
  signal(SIGTERM);
  signal(SIGCONT);
}

std::optional<int> ChildProcess::poll() {
  int status = 0;
  if (exit_code_) return exit_code_;
  const pid_t ended = ::waitpid(id_, &status, WNOHANG);
  if (ended == id_) exit_code_ = exit_code_of(status);
  if (ended < 0 && errno == ECHILD) exit_code_ = kCannotRun;  // somebody else reaped it
  return exit_code_;
}

ProgramOutput::ProgramOutput(const std::vector<std::string>& command, bool with_errors) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw io_error("make a pipe for", command.front(), errno);
  output_ = ends[0];
  const std::vector<char*> arguments = pointers(command);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  if (with_errors) ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  sigset_t of_writing;
  ::sigemptyset(&of_writing);
  ::sigaddset(&of_writing, SIGPIPE);
  posix_spawnattr_t signals;
  ::posix_spawnattr_init(&signals);
  ::posix_spawnattr_setsigdefault(&signals, &of_writing);
  ::posix_spawnattr_setflags(&signals, POSIX_SPAWN_SETSIGDEF);
  const int number =
      ::posix_spawnp(&id_, arguments[0], &actions, &signals, arguments.data(), environ);
  ::posix_spawnattr_destroy(&signals);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (number == 0) return;
  exit_code_ = kCannotRun;
  if (number == ENOENT) return;
  ::close(output_);
  throw io_error("start", command.front(), number);
}

ProgramOutput::~ProgramOutput() {
  ::close(output_);
  wait();
}

size_t ProgramOutput::read(std::span<char> out) {
  size_t count = 0;
  while (count < out.size()) {
    const ssize_t got = ::read(output_, out.data() + count, out.size() - count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    count += static_cast<size_t>(got);
  }
  return count;
}

int ProgramOutput::wait() {
  int status = 0;
  if (exit_code_) return *exit_code_;
  while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
  }
  exit_code_ = exit_code_of(status);
  return *exit_code_;
}

ProgramResult run_program(const std::vector<std::string>& command) {
  ProgramOutput program(command, true);
  ProgramResult result;
  char bytes[4096];
  while (const size_t count = program.read(bytes)) result.output.append(bytes, count);
  result.exit_code = program.wait();
  if (result.exit_code == kCannotRun && result.output.empty())
    result.output = command.front() + ": there is no such program\n";
  return result;
}

std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "an unknown host";
}

std::string own_program() {
  constexpr const char* kRunning = "/proc/self/exe";
  std::string path(4096, '\0');
  const ssize_t length = ::readlink(kRunning, path.data(), path.size());
  if (length <= 0) throw io_error("find", kRunning, errno);
  path.resize(static_cast<size_t>(length));
  struct stat running {
  }, found{};
  const bool same = ::stat(kRunning, &running) == 0 && ::stat(path.c_str(), &found) == 0 &&
                    running.st_dev == found.st_dev && running.st_ino == found.st_ino;
  return same ? path : kRunning;
}

void wait_for_child(double seconds) {
  sigset_t ended, before;
  ::sigemptyset(&ended);
  ::sigaddset(&ended, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &ended, &before);
  timespec limit{static_cast<time_t>(seconds),
                 static_cast<long>(1e9 * (seconds - std::floor(seconds)))};
  ::sigtimedwait(&ended, nullptr, &limit);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace muonlab::base
