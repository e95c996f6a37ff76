// Which settings may change when a run resumes from a checkpoint, and what a changed setting does
// to the run. Both are defined by one table.
#pragma once

#include <string>
#include <vector>

#include "muonlab/config/load.hpp"

namespace muonlab::record {

enum class ChangeClass {
  safe,      // leaves the training alone, or rounds it differently: one command makes the same run
  length,    // moves the run's end, and with it what the steps so far would have been, or which of
             // them the average of the weights takes in: allowed, and said
  training,  // changes the training from here on: needs --allow-change, or a branch
  refused    // another model, data or seed: needs a run of its own
};
const char* change_class_name(ChangeClass kind);

struct Change {
  config::Difference difference;
  ChangeClass kind;
  std::string note;  // what it does: "rounding may differ from here on", "changes the batch", …
};

// Whether a difference is one of the shape or the meaning of stored weights, which a branch keeps.
bool shapes_weights(const config::Difference& difference);
// Whether two runs that differ in this setting alone record the same losses and measurements but
// for rounding, so that one can stand for the other.
bool keeps_record(const std::string& setting);
// Whether a setting only says where the data or their tokenizer are: the content decides.
bool places_data(const std::string& setting);
// Whether a setting decides learning rates: where those of all steps so far stay what they were,
// changing it is safe.
bool decides_rates(const std::string& setting);
// Whether validation losses before and after a change of this setting do not compare.
bool changes_validation(const std::string& setting);
// By path alone; "build.*" are the facts of build.json, which are no settings.
std::vector<Change> classify_changes(const std::vector<config::Difference>& differences);
// "model.ffn_bias true -> (unset)".
std::string describe_difference(const config::Difference& difference);
// "changed  train.steps 400 -> 800 (changes the schedule's end: allowed)", a line each.
std::string describe_changes(const std::vector<Change>& changes, bool allow_change = false);

}  // namespace muonlab::record
