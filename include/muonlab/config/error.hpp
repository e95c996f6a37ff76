// What is wrong with a configuration, all of it at once.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "muonlab/base/error.hpp"

namespace muonlab::config {

// One thing to mend. where: "FILE:LINE:COLUMN" (from 1; columns count characters) or "--set N"
// (from 1); path: the setting ("train.batch"), empty where the text says it all.
struct Problem {
  std::string where, path, text;
  std::string line() const;  // "where: path: text"
};

// what() is one line a problem, in the order of the files, and at the end "N errors; nothing was
// started." Exit code 2.
class ConfigError : public base::Error {
 public:
  explicit ConfigError(std::vector<Problem> problems);
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  std::vector<Problem> problems_;
};

}  // namespace muonlab::config
