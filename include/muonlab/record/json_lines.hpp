// Reading the JSON lines of a run's folder back (metrics.jsonl, timing.jsonl and the like).
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

// JSON text of a value that may hold paths: bytes that are not UTF-8, which a path may have and
// JSON may not, become U+FFFD.
template <class Json>
std::string json_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// The value in a small file of a run; null where there is no such file, "discarded" where it is no
// JSON.
inline nlohmann::json value_in(const std::string& path) {
  if (!base::real_file_system().exists(path)) return nullptr;
  return nlohmann::json::parse(base::read_text(path), nullptr, false);
}

// Calls visit(json) for every line that is an object. A line that a crash cut short is skipped.
template <class Visit>
void each_json_line(const std::string& path, Visit&& visit) {
  for (const std::string& line : base::split(base::read_text(path), '\n')) {
    const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object()) visit(json);
  }
}

}  // namespace muonlab::record
