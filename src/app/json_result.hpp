// --json: how a command answers a program. Its standard output then holds the answer and nothing
// else, one JSON object on a line; what a person would read goes to standard error. Errors and exit
// codes are the same as without it.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace muonlab::app {

// Adds the flag --json.
void add_json(CLI::App& command, bool& wanted);

class JsonResult {
 public:
  explicit JsonResult(bool wanted);
  ~JsonResult();
  JsonResult(const JsonResult&) = delete;
  JsonResult& operator=(const JsonResult&) = delete;

  bool wanted() const { return output_ >= 0; }
  void print(const nlohmann::ordered_json& answer) const;

 private:
  int output_ = -1;  // the standard output that the command was given
};

}  // namespace muonlab::app
