// What the configuration tests share.
#pragma once

#include <algorithm>
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
inline std::vector<std::string> errors(const std::string& text,
                                       const std::vector<std::string>& settings = {}) {
  try {
    parse_config(text, "c.json", settings);
  } catch (const ConfigError& e) {
    std::vector<std::string> lines;
    for (const Problem& p : e.problems()) lines.push_back(p.line());
    return lines;
  }
  return {};
}

// A text with a $ before the place that its one error names: the text without it, and
// "c.json:LINE:COLUMN: ".
struct Marked {
  std::string text, where;
  explicit Marked(const std::string& marked) {
    const size_t at = marked.find('$');
    text = marked.substr(0, at) + marked.substr(at + 1);
    const size_t line_start =
        marked.rfind('\n', at) == std::string::npos ? 0 : marked.rfind('\n', at) + 1;
    const auto line =
        std::count(marked.begin(), marked.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
    where = "c.json:" + std::to_string(line) + ":" + std::to_string(at - line_start + 1) + ": ";
  }
};

using Lines = std::vector<std::string>;

// Expects exactly one error, at the $.
inline void expect_error(const std::string& marked, const std::string& message) {
  const Marked m(marked);
  EXPECT_EQ(errors(m.text), Lines{m.where + message}) << marked;
}

inline RunConfig parse(const std::string& text, const std::vector<std::string>& settings = {}) {
  return parse_config(text, "c.json", settings).run;
}

}  // namespace muonlab::config
