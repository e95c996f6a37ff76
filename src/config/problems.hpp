// Collects what is wrong, to report it all at once.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "config/value.hpp"
#include "muonlab/config/error.hpp"

namespace muonlab::config {

class Problems {
 public:
  void add(const Mark& mark, std::string path, std::string text);
  void add(const ConfigError& error, const Mark& near);  // all of its problems, as they are
  bool empty() const { return list_.empty(); }
  size_t size() const { return list_.size(); }
  // Whether the setting, or a part of it, has a problem.
  bool touches(const std::string& path) const { return touched_.contains(path); }
  // More than anybody reads: from here on no time goes into suggestions.
  bool crowded() const { return list_.size() >= 200; }
  // Throws ConfigError with the problems sorted by file and position, if there are any.
  void raise() const;

 private:
  struct Entry {
    Mark mark;
    Problem problem;
  };
  void touch(std::string path);

  std::vector<Entry> list_;
  std::unordered_set<std::string> touched_;  // paths of problems, and of all that holds them
};

}  // namespace muonlab::config
