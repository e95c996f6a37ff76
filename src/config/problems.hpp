// Collects what is wrong, to report it all at once.
#pragma once

#include <string>
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
  bool touches(std::string_view path) const;  // whether the setting, or a part of it, has a problem
  // Throws ConfigError with the problems sorted by file and position, if there are any.
  void raise() const;

 private:
  struct Entry {
    Mark mark;
    Problem problem;
  };
  std::vector<Entry> list_;
};

}  // namespace muonlab::config
