// Reading the JSON lines of a run's folder back (metrics.jsonl, timing.jsonl and their kin).
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::record {

// The whole number under a key; 0 where there is none.
inline int64_t count_in(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

// The number under a key; absent gives `otherwise`.
inline double number_in(const nlohmann::json& json, const char* key, double otherwise) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>() : otherwise;
}

// The text under a key; empty where there is none.
inline std::string text_in(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

// The value in a small file of a run; null where there is no such file, "discarded" where it is no
// JSON.
inline nlohmann::json value_in(const std::string& path) {
  if (!base::real_file_system().exists(path)) return nullptr;
  return nlohmann::json::parse(base::read_text(path), nullptr, false);
}

// visit(json) for every line that is an object; one that a crash cut short is passed over.
template <class Visit>
void each_json_line(const std::string& path, Visit&& visit) {
  const base::MappedFile file = base::map_file(path);
  for (const std::string& line : base::split(file.text(), '\n')) {
    const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object()) visit(json);
  }
}

}  // namespace muonlab::record
