// What the configuration tests share.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "muonlab/config/load.hpp"

namespace muonlab::config {

// A text with everything that must be said, and room for more after the brace.
inline std::string minimal(const std::string& more = "") {
  return R"({"train": {"steps": 100})" + (more.empty() ? "" : ", " + more) + "}";
}

// The lines of the error that a text gives, without the last; empty when it is accepted.
inline std::vector<std::string> errors(const std::string& text, const std::vector<std::string>& settings = {}) {
  try {
    parse_config(text, "c.json", settings);
  } catch (const ConfigError& e) {
    std::vector<std::string> lines;
    for (const Problem& p : e.problems()) lines.push_back(p.line());
    return lines;
  }
  return {};
}

using Lines = std::vector<std::string>;

inline RunConfig parse(const std::string& text, const std::vector<std::string>& settings = {}) {
  return parse_config(text, "c.json", settings).run;
}

}  // namespace muonlab::config
