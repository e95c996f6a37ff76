#include "store/checkpoint_names.hpp"

#include <charconv>

namespace muonlab::store {

std::string step_name(std::string_view prefix, int64_t step) {
  const std::string digits = std::to_string(step);
  std::string name(prefix);
  if (digits.size() < 8) name.append(8 - digits.size(), '0');
  return name + digits;
}

std::optional<int64_t> step_of(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  const std::string_view digits = name.substr(prefix.size());
  int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (error != std::errc() || end != digits.data() + digits.size() || step < 0) return std::nullopt;
  if (step_name(prefix, step) != name) return std::nullopt;
  return step;
}

}  // namespace muonlab::store
