#include <cmath>
#include <cstdlib>

#include "commands.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::app {
namespace {

std::string plain(double value) { return base::significant(value, 12); }

}  // namespace

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
