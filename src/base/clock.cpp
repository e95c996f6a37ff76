#include "muonlab/base/clock.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>
#include <iterator>

#include "muonlab/base/file.hpp"

namespace muonlab::base {

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int64_t unix_seconds() { return static_cast<int64_t>(std::time(nullptr)); }

std::string iso_utc(int64_t unix_time) {
  const auto time = static_cast<time_t>(unix_time);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string iso_utc_now() { return iso_utc(unix_seconds()); }

int64_t modified_unix_seconds(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) throw io_error("look at", path, errno);
  return static_cast<int64_t>(found.st_mtime);
}

std::optional<double> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  constexpr Unit kUnits[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"m", 60}, {"s", 1}};
  if (text.empty()) return std::nullopt;
  double total = 0, smallest = INFINITY;
  while (!text.empty()) {
    double value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc() || !std::isfinite(value) || value < 0) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    const Unit* unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                    [&](const Unit& u) { return text.starts_with(u.name); });
    if (unit == std::end(kUnits) || unit->seconds >= smallest) return std::nullopt;
    text.remove_prefix(unit->name.size());
    smallest = unit->seconds;
    total += value * unit->seconds;
  }
  return total;
}

std::string age_text(double seconds) {
  if (seconds < 10.0) return "just now";
  if (seconds < 60.0) return str(static_cast<int>(seconds), " s ago");
  if (seconds < 3600.0) return str(static_cast<int>(seconds / 60.0), " min ago");
  if (seconds < 86400.0) return str(static_cast<int>(seconds / 3600.0), " h ago");
  const auto days = static_cast<int64_t>(seconds / 86400.0);
  return str(days, days == 1 ? " day ago" : " days ago");
}

double process_cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace muonlab::base
