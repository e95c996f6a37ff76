// The one source that sees spdlog.
#include "muonlab/base/log.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string_view>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "muonlab/base/terminal.hpp"
#include "muonlab/base/visible.hpp"

namespace muonlab::base {
namespace {

struct Log {
  std::mutex lock;
  LogLevel level = LogLevel::info;
  std::string prefix;
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

// Writes each line at once into a file that a FileSystem has opened. What fails is the disk's to
// mend: the files that matter report it.
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    try {
      file_->write_text({text.data(), text.size()});
    } catch (const Error&) {
    }
  }
  void flush_() override {}

 private:
  std::unique_ptr<WritableFile> file_;
};

std::string on_screen(LogLevel level, const std::string& text) {
  switch (level) {
    case LogLevel::debug: return coloured("debug: ", Colour::grey) + text;
    case LogLevel::warning: return coloured("warning: ", Colour::yellow) + text;
    case LogLevel::error: return coloured("error: ", Colour::red) + text;
    default: return text;
  }
}

}  // namespace

void log(LogLevel level, const std::string& message) {
  const std::string text = visible(message);
  Log& log = shared_log();
  const std::lock_guard guard(log.lock);
  if (level == LogLevel::off) return;
  if (level >= log.level) print_line(log.prefix + on_screen(level, text), 2);
  if (log.file) log.file->log(spdlog_level(level), spdlog::string_view_t(text));
}

void log_note(const std::string& message) {
  const std::string text = visible(message);
  Log& log = shared_log();
  const std::lock_guard guard(log.lock);
  if (log.file) log.file->info(spdlog::string_view_t(text));
}

void set_log_level(LogLevel level) {
  const std::lock_guard guard(shared_log().lock);
  shared_log().level = level;
}

void speak_as(const std::string& prefix) {
  mute_standard_output();
  const std::lock_guard guard(shared_log().lock);
  shared_log().prefix = prefix;
  shared_log().level = std::max(shared_log().level, LogLevel::warning);
}

void set_log_file(const std::string& path, FileSystem& files) {
  auto file =
      std::make_shared<spdlog::logger>("muonlab", std::make_shared<FileSink>(files.append(path)));
  file->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%SZ %l: %v",
                                                                  spdlog::pattern_time_type::utc));
  file->set_level(spdlog::level::debug);
  const std::lock_guard guard(shared_log().lock);
  shared_log().file = std::move(file);
}

void close_log_file() {
  const std::lock_guard guard(shared_log().lock);
  shared_log().file.reset();
}

}  // namespace muonlab::base
