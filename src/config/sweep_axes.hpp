// The axes of a sweep file, and the selections of their values elsewhere in it.
#pragma once

#include <map>
#include <set>

#include "config/sweep_overlap.hpp"
#include "config/value_reader.hpp"

namespace muonlab::config {

class AxisReader : protected ValueReader {
 protected:
  AxisReader(Problems& problems, std::vector<Axis>& axes) : ValueReader(problems), axes_(axes) {}

  void read_axes(const Value& axes);

  // nullptr where no axis has the name.
  const Axis* find_axis(const std::string& name) const;
  std::vector<std::string> axis_names() const;
  void check_value(const Mark& mark, const std::string& path, const Axis& axis,
                   const std::string& name);

  // {"axis": value or [values]}, each of which must exist and comes once.
  Selection selection(const Value& value, const std::string& path);

  SweepOverlap overlap_;

 private:
  void read_path_axis(const Value& value, const std::string& path, Axis& axis);
  void read_named_axis(const Value& value, const std::string& path, Axis& axis);
  void add_value(Axis& axis, AxisValue value, const Mark& mark, const std::string& path);

  std::vector<Axis>& axes_;
  std::map<std::string, std::set<std::string>> names_;  // of an axis's values
};

}  // namespace muonlab::config
