// Runs the real program in a process of its own.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace muonlab::support {

struct Result {
  int code = -1;  // exit code; 128 + signal when a signal ended it
  std::string out, err;
};

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// A folder of its own for each test, removed at its end.
class Scratch {
 public:
  explicit Scratch(const std::string& name) {
    path_ = std::filesystem::temp_directory_path() /
            ("muonlab_" + name + "_" + std::to_string(getpid()));
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Runs the program in this process, the child of a fork.
[[noreturn]] inline void become_program(std::vector<std::string> arguments) {
  std::string program = MUONLAB_BINARY;
  std::vector<char*> argv{program.data()};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(MUONLAB_BINARY, argv.data());
  _exit(127);
}

class Process {
 public:
  Process(const std::filesystem::path& folder, std::vector<std::string> arguments)
      : folder_(folder) {
    static int count = 0;
    out_ = folder_ / ("out." + std::to_string(++count));
    err_ = folder_ / ("err." + std::to_string(count));
    pid_ = fork();
    if (pid_ != 0) return;
    if (chdir(folder_.c_str()) != 0) _exit(126);
    dup2(open(out_.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644), 1);
    dup2(open(err_.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644), 2);
    become_program(std::move(arguments));
  }
  pid_t id() const { return pid_; }
  void signal(int number) const { kill(pid_, number); }
  bool running() {
    if (done_) return false;
    done_ = waitpid(pid_, &status_, WNOHANG) == pid_;
    return !done_;
  }
  std::string out_so_far() const { return slurp(out_); }
  // Waits until the file holds the text; false when the process ended first.
  bool wait_for(const std::filesystem::path& file, const std::string& text) {
    while (slurp(file).find(text) == std::string::npos) {
      if (!running()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  Result wait() {
    if (!done_) waitpid(pid_, &status_, 0);
    done_ = true;
    const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
    return {code, slurp(out_), slurp(err_)};
  }

 private:
  std::filesystem::path folder_, out_, err_;
  pid_t pid_ = -1;
  int status_ = 0;
  bool done_ = false;
};

inline Result run_program(const std::filesystem::path& folder,
                          const std::vector<std::string>& arguments) {
  return Process(folder, arguments).wait();
}

// Every file below a folder with its bytes, by relative path.
inline std::vector<std::pair<std::string, std::string>> tree(const std::filesystem::path& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    files.emplace_back(std::filesystem::relative(entry.path(), folder).string(),
                       slurp(entry.path()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace muonlab::support
