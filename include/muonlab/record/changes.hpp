// What may change when a run goes on from a checkpoint.
#pragma once

#include <string>
#include <vector>

#include "muonlab/config/load.hpp"

namespace muonlab::record {

enum class ChangeClass {
  safe,      // leaves the numbers alone, or rounds them differently
  schedule,  // changes learning rates or the length from here on: allowed, and said
  refused    // another model, data, seed or optimizer state: a new run or a branch
};

struct Change {
  config::Difference difference;
  ChangeClass kind;
  std::string note;  // "rounding may differ", "changes the schedule's end: allowed", …
};

// Whether a setting decides the shape or the meaning of stored weights, which a branch keeps.
bool shapes_weights(const std::string& setting);
std::vector<Change> classify_changes(const std::vector<config::Difference>& differences);
// "changed  train.steps 400 -> 800 (changes the schedule: allowed)", a line each.
std::string describe_changes(const std::vector<Change>& changes);

}  // namespace muonlab::record
