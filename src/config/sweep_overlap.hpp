// Settings that two places of a sweep file write: the later one would win, and the other one would
// have no effect.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/problems.hpp"

namespace muonlab::config {

class SweepOverlap {
 public:
  // The value `name` of the axis sets `path`.
  void add(const std::string& axis, const std::string& name, const std::string& path,
           const Value& setting, const Mark& mark);
  // Two axes that set one setting, or one a part of what the other sets.
  void check_axes(Problems& problems) const;
  // A searched setting that a value of an axis sets, of those that `runs_with` says the search is
  // for. `where`: the place of the search in the file, "tune[0].path".
  void check_search(
      const std::string& path, const Mark& mark, const std::string& where,
      const std::function<bool(const std::string& axis, const std::string& name)>& runs_with,
      Problems& problems) const;

 private:
  using Steps = std::vector<std::string>;  // of a setting's path
  struct Written {
    std::string axis, name, path;
    Steps steps;
    std::vector<Steps> leaves;  // the settings in it, where it is an object
    Mark mark;
  };
  std::vector<Written> written_;
};

// A setting that an axis, a search and "settings" leave alone, because the sweep itself gives it.
// `values`: what was meant, for the remedy. True where the path is one of them.
bool refuse_given_by_sweep(const std::string& path, const Value* values, const Mark& mark,
                           const std::string& where, Problems& problems);

}  // namespace muonlab::config
