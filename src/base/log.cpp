// The one source that sees spdlog.
#include "muonlab/base/log.hpp"

#include <memory>
#include <mutex>
#include <string_view>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include "muonlab/base/file.hpp"
#include "muonlab/base/terminal.hpp"

namespace muonlab::base {
namespace {

struct Log {
  std::mutex lock;
  LogLevel level = LogLevel::info;
  std::shared_ptr<spdlog::logger> file;
};

Log& shared_log() {
  static Log* log = new Log;  // messages may come from the destructors of other static objects
  return *log;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::off: break;
  }
  return spdlog::level::off;
}

std::string on_screen(LogLevel level, const std::string& text) {
  switch (level) {
    case LogLevel::debug: return coloured("debug: ", Colour::grey) + text;
    case LogLevel::warning: return coloured("warning: ", Colour::yellow) + text;
    case LogLevel::error: return coloured("error: ", Colour::red) + text;
    default: return text;
  }
}

}  // namespace

void log(LogLevel level, const std::string& text) {
  Log& log = shared_log();
  const std::lock_guard guard(log.lock);
  if (level == LogLevel::off) return;
  if (level >= log.level) print_line(on_screen(level, text), 2);
  if (log.file) log.file->log(spdlog_level(level), spdlog::string_view_t(text));
}

void log_note(const std::string& text) {
  Log& log = shared_log();
  const std::lock_guard guard(log.lock);
  if (log.file) log.file->info(spdlog::string_view_t(text));
}

void set_log_level(LogLevel level) {
  const std::lock_guard guard(shared_log().lock);
  shared_log().level = level;
}

void set_log_file(const std::string& path) {
  // names what is wrong; spdlog would wait for a pipe's reader
  real_file_system().append(path)->close();
  std::shared_ptr<spdlog::logger> file;
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    file = std::make_shared<spdlog::logger>("muonlab", std::move(sink));
  } catch (const spdlog::spdlog_ex& failure) {
    throw Error(path, ": cannot open the log: ", failure.what());
  }
  file->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%SZ %l: %v",
                                                                  spdlog::pattern_time_type::utc));
  file->set_level(spdlog::level::debug);
  file->flush_on(spdlog::level::debug);
  const std::lock_guard guard(shared_log().lock);
  shared_log().file = std::move(file);
}

void close_log_file() {
  const std::lock_guard guard(shared_log().lock);
  shared_log().file.reset();
}

}  // namespace muonlab::base
