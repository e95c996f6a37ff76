#include "json_result.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <iostream>

#include "muonlab/base/error.hpp"
#include "muonlab/record/json_lines.hpp"

namespace muonlab::app {

void add_json(CLI::App& command, bool& wanted) {
  command.add_flag("--json", wanted,
                   "print the result as one JSON object on a line, and all else to "
                   "standard error");
}

JsonResult::JsonResult(bool wanted) {
  if (!wanted) return;
  std::cout.flush();
  // Not for the processes that the command starts.
  output_ = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (output_ < 0) throw base::Error("--json: standard output is closed");
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
}

JsonResult::~JsonResult() {
  if (output_ < 0) return;
  std::cout.flush();
  ::dup2(output_, STDOUT_FILENO);
  ::close(output_);
}

void JsonResult::print(const nlohmann::ordered_json& answer) const {
  const std::string line = record::json_text(answer) + "\n";
  for (size_t written = 0; written < line.size();) {
    const ssize_t count = ::write(output_, line.data() + written, line.size() - written);
    if (count < 0 && errno != EINTR) throw base::Error("--json: standard output cannot be written");
    if (count > 0) written += static_cast<size_t>(count);
  }
}

}  // namespace muonlab::app
