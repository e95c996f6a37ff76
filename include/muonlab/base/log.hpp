// Messages to standard error and, once a run has a folder, to its log.txt. Thread-safe.
#pragma once

#include <string>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"

namespace muonlab::base {

enum class LogLevel { debug, info, warning, error, off };

// On standard error info is the bare text, others are preceded by their level; in the file each
// line has UTC time and level. The level of standard error is info at first; the file takes debug
// and above.
void log(LogLevel level, const std::string& text);
void log_note(const std::string& text);  // at level info, into the file alone
void set_log_level(LogLevel level);
// For a process beside which another one speaks: standard output stays empty, and on standard error
// there are warnings and errors only, each after `prefix`.
void speak_as(const std::string& prefix);
// Appends; throws Error when it cannot be opened. A line that cannot be written is lost.
void set_log_file(const std::string& path, FileSystem& files = real_file_system());
void close_log_file();

template <class... Parts>
void log_debug(const Parts&... parts) {
  log(LogLevel::debug, str(parts...));
}
template <class... Parts>
void log_info(const Parts&... parts) {
  log(LogLevel::info, str(parts...));
}
template <class... Parts>
void log_warning(const Parts&... parts) {
  log(LogLevel::warning, str(parts...));
}
template <class... Parts>
void log_error(const Parts&... parts) {
  log(LogLevel::error, str(parts...));
}

}  // namespace muonlab::base
