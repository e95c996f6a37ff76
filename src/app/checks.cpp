#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <set>
#include <thread>

#include "commands.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/usage_error.hpp"

namespace muonlab::app {
namespace {

std::string plain(double value) { return base::significant(value, 12); }

}  // namespace

void add_max_time(CLI::App& command, const std::string& about) {
  command
      .add_option_function<std::string>(
          "--max-time",
          [](const std::string& text) {
            const std::optional<double> seconds = base::parse_duration(text);
            if (!seconds || *seconds < 1 || *seconds > 1e8)
              throw base::UsageError("--max-time ", text,
                                     ": is no length of time; write 3h, 90min or 1h30min");
            base::stop_after(*seconds);
          },
          about)
      ->type_name("TIME");
}

void add_device(CLI::App& command, config::Device& device) {
  constexpr const auto& kNames = config::EnumNames<config::Device>::names;
  command
      .add_option_function<std::string>(
          "--device",
          [&device](const std::string& name) {
            const auto found = std::find(kNames.begin(), kNames.end(), name);
            device = static_cast<config::Device>(found - kNames.begin());
          },
          "where to compute: auto, cpu or cuda; default: auto, as in a configuration")
      ->check(CLI::IsMember(std::set<std::string>(kNames.begin(), kNames.end())));
}

void wait_unless_stopped(double seconds) {
  for (double waited = 0; waited < seconds && base::stop_requested() == 0; waited += 0.1)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

// CLI11's own checks print the limits of the number type.
CLI::Validator between(double low, double high) {
  return CLI::Validator(
      [low, high](const std::string& text) {
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        if (end == text.c_str() || *end != '\0' || std::isnan(value))
          return base::str("\"", text, "\" is no number");
        if (value < low) return base::str(text, " is below the minimum ", plain(low));
        if (value > high) return base::str(text, " is above the maximum ", plain(high));
        return std::string();
      },
      "");
}

CLI::Validator at_least(double low) { return between(low, HUGE_VAL); }

}  // namespace muonlab::app
