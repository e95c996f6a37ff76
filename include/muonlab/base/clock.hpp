// Time: for measuring, and for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muonlab::base {

double monotonic_seconds();              // never steps back; only differences mean anything
int64_t unix_seconds();                  // since 1970-01-01 UTC
std::string iso_utc(int64_t unix_time);  // 2026-03-01T14:05:09Z
std::string iso_utc_now();
// A file's last change; throws Error when it is absent.
int64_t modified_unix_seconds(const std::string& path);
std::string age_text(double seconds);  // just now, 3 min ago, 2 h ago, 5 days ago
double process_cpu_seconds();          // processor time of all threads so far

// Seconds of "3h", "90min", "1d12h" or "45s"; days, hours, minutes (m or min) and seconds, each at
// most once and in this order. Absent for anything else, a number without a unit included.
std::optional<double> parse_duration(std::string_view text);

class Stopwatch {
 public:
  Stopwatch() : start_s_(monotonic_seconds()) {}
  double seconds() const { return monotonic_seconds() - start_s_; }
  void restart() { start_s_ = monotonic_seconds(); }

 private:
  double start_s_;
};

}  // namespace muonlab::base
