// Programs run as processes of their own.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace muonlab::base {

// A started program. It leads a process group of its own, so that Ctrl-C on the terminal does not
// reach it, and gets SIGTERM when the process that started it dies, however it dies.
class ChildProcess {
 public:
  // `command`: a program's path and its arguments. Standard input is empty; standard output and
  // error are appended to the file `output`, which may be no symbolic link. `environment`: settings
  // NAME=value that are added to this process's, or replace them. Throws IoError when it cannot be
  // started.
  ChildProcess(const std::vector<std::string>& command, const std::string& output,
               const std::vector<std::string>& environment = {});
  ~ChildProcess();  // kills and reaps what still runs
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  int id() const { return id_; }
  void signal(int number) const;
  // SIGTERM, also to a process that was stopped: it takes no signal before it continues.
  void ask_to_end() const;
  // Its exit code once it has ended, 128 + N after signal N; absent while it runs. Never waits.
  std::optional<int> poll();

 private:
  int id_ = -1;
  std::optional<int> exit_code_;
};

// What a started program writes, read while it runs. Its standard input is empty.
class ProgramOutput {
 public:
  // A program found as the shell finds it (PATH); one that there is not has written nothing and
  // ended with 127. `with_errors`: its standard error is read as well, instead of being this
  // process's. Throws IoError when no process can be started.
  explicit ProgramOutput(const std::vector<std::string>& command, bool with_errors = false);
  ~ProgramOutput();  // a program that still writes ends by SIGPIPE; waits for its end
  ProgramOutput(const ProgramOutput&) = delete;
  ProgramOutput& operator=(const ProgramOutput&) = delete;

  // Fills `out` unless the end comes first; how many bytes came.
  size_t read(std::span<char> out);
  // Waits for the end; the exit code as ChildProcess::poll gives it.
  int wait();

 private:
  int id_ = -1;
  int output_ = -1;
  std::optional<int> exit_code_;
};

struct ProgramResult {
  int exit_code = 0;   // 127: there is no such program
  std::string output;  // standard output and error
};
// Runs a program as ProgramOutput does and waits for its end.
ProgramResult run_program(const std::vector<std::string>& command);

// In single quotes, as the shell, bash and zsh read them.
std::string shell_quoted(const std::string& text);

// The name of this machine; "an unknown host" where the system does not tell.
std::string host_name();

// What starts the running program once more: its file, or, where that was replaced or removed since
// (a rebuild), the kernel's own name for what runs.
std::string own_program();
// Sleeps, but no longer than until a child ends or a signal comes.
void wait_for_child(double seconds);

}  // namespace muonlab::base
