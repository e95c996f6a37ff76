// Numbers as a person reads them; the rest of text.hpp is in text.cpp.
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "muonlab/base/text.hpp"

namespace muonlab::base {
namespace {

std::string print(const char* format, int digits, double value) {
  if (std::isnan(value)) return "nan";  // printf shows its sign, which says nothing
  std::array<char, 400> text{};
  std::snprintf(text.data(), text.size(), format, digits, value);
  return text.data();
}

struct Scaled {
  double value;
  size_t unit;
};

// Divides by 1000 until the value, rounded as it will be printed, is below 1000.
Scaled scaled(double value, size_t last_unit) {
  size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit < last_unit) {
    value /= 1000.0;
    ++unit;
  }
  return {value, unit};
}

std::string two_digits(int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); }

}  // namespace

std::string with_commas(int64_t value) {
  std::string digits = std::to_string(value);
  const size_t first = value < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string human_count(double value) {
  static constexpr std::array<const char*, 6> kUnits{"", " k", " M", " G", " T", " P"};
  if (std::abs(value) < 1000.0 && value == std::floor(value)) return fixed(value, 0);
  if (std::abs(value) < 999.5) return significant(value, 3);
  const auto [number, unit] = scaled(value, kUnits.size() - 1);
  const double size = std::abs(number);
  return fixed(number, size < 9.995 ? 2 : size < 99.95 ? 1 : 0) + kUnits[unit];
}

std::string human_bytes(uint64_t bytes) {
  static constexpr std::array<const char*, 7> kUnits{"", " kB", " MB", " GB", " TB", " PB", " EB"};
  if (bytes < 1000) return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
  const auto [number, unit] = scaled(static_cast<double>(bytes), kUnits.size() - 1);
  return fixed(number, number < 99.95 ? 1 : 0) + kUnits[unit];
}

std::string human_duration(double seconds) {
  if (!std::isfinite(seconds)) return "unknown time";
  if (seconds < 0.95e-3) return fixed(seconds * 1e6, 0) + " µs";
  if (seconds < 0.0995) return significant(seconds * 1e3, 2) + " ms";
  if (seconds < 9.95) return fixed(seconds, 1) + " s";
  if (seconds < 59.5) return fixed(seconds, 0) + " s";
  const auto minutes = static_cast<int64_t>(std::llround(seconds / 60.0));
  if (minutes < 60) return std::to_string(minutes) + " min";
  if (minutes < 24 * 60) {
    return std::to_string(minutes / 60) + " h " + two_digits(minutes % 60) + " min";
  }
  const auto hours = static_cast<int64_t>(std::llround(seconds / 3600.0));
  return std::to_string(hours / 24) + " d " + std::to_string(hours % 24) + " h";
}

std::string fixed(double value, int digits) { return print("%.*f", digits, value); }
std::string scientific(double value, int digits) { return print("%.*e", digits, value); }
std::string significant(double value, int digits) { return print("%.*g", digits, value); }

std::string exact(double value) {
  constexpr int kMostDigits = 17;
  for (int digits = 6; digits < kMostDigits; ++digits) {
    std::string text = significant(value, digits);
    if (std::strtod(text.c_str(), nullptr) == value) return text;
  }
  return significant(value, kMostDigits);
}

std::string bits_per_byte_text(double bits) { return std::isnan(bits) ? "–" : fixed(bits, 4); }

std::string perplexity_text(double value) {
  if (!(value < 1e6)) return significant(value, 4);
  return fixed(value, value < 10 ? 3 : value < 100 ? 2 : value < 1000 ? 1 : 0);
}

}  // namespace muonlab::base
