// Numbers that may be missing, in the JSON of answers and comparisons.
#pragma once

#include <optional>

#include <nlohmann/json.hpp>

namespace muonlab::study {

// A number that is not finite becomes null.
inline void put(nlohmann::ordered_json& json, const char* key, const std::optional<double>& value) {
  if (value) json[key] = *value;
}

}  // namespace muonlab::study
