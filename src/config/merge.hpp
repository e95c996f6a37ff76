// Layers of settings into one tree.
#pragma once

#include <string>

#include "config/problems.hpp"
#include "config/value.hpp"

namespace muonlab::config {

// Lays `over` onto `under`: objects merge, anything else replaces, null deletes; where "rule" or
// "kind" changes, the object underneath is discarded.
void merge(Value& under, Value over);

// One "a.b=value". Steps of the path are keys, or indices into arrays ("assign.0.optimizer",
// "assign[0].optimizer").
struct Setting {
  std::vector<std::string> steps;
  Value value;
  bool chooses_kind() const;  // its last step is "rule" or "kind"
};
// The value is JSON if it parses, else a string. source->layer is that of settings, number counts
// from 1.
Setting parse_setting(const std::string& text, const std::shared_ptr<const Source>& source,
                      int number, Problems& problems);
void apply_setting(Value& root, const Setting& setting, Problems& problems);

}  // namespace muonlab::config
