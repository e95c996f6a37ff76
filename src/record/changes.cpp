#include "muonlab/record/changes.hpp"

#include <algorithm>
#include <array>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::record {
namespace {

struct Class {
  const char* pattern;  // glob on the setting's path; the first match decides
  ChangeClass kind;
  const char* note;
};

constexpr const char* kRounding = "rounding may differ from here on";
constexpr const char* kSchedule = "changes the schedule: allowed";

// Checked after the settings: the content of the data and the tokenizer must be the same.
constexpr const char* kSameContent = "another place: allowed where the content is the same";

constexpr std::array<Class, 22> kClasses{{
    {"name", ChangeClass::safe, "safe"},
    {"threads", ChangeClass::safe, kRounding},
    {"device", ChangeClass::safe, kRounding},
    {"kernels", ChangeClass::safe, kRounding},
    {"train.micro_batch", ChangeClass::safe, kRounding},
    {"eval.*", ChangeClass::safe, "safe"},
    {"checkpoint.*", ChangeClass::safe, "safe"},
    {"probes*", ChangeClass::safe, "safe"},
    {"train.steps", ChangeClass::schedule, "changes the schedule's end: allowed"},
    {"train.tokens", ChangeClass::schedule, "changes the schedule's end: allowed"},
    {"train.epochs", ChangeClass::schedule, "changes the schedule's end: allowed"},
    {"train.batch", ChangeClass::schedule, "changes the batch from here on: allowed"},
    {"train.clip", ChangeClass::schedule, "changes the updates from here on: allowed"},
    {"schedule*", ChangeClass::schedule, kSchedule},
    {"optimizers.*.lr", ChangeClass::schedule, kSchedule},
    {"optimizers.*.decay", ChangeClass::schedule, "changes the updates from here on: allowed"},
    {"optimizers.*.schedule*", ChangeClass::schedule, kSchedule},
    {"data.train", ChangeClass::safe, kSameContent},
    {"data.valid", ChangeClass::safe, kSameContent},
    {"data.tokenizer", ChangeClass::safe, kSameContent},
    {"data.tokenizer.path", ChangeClass::safe, kSameContent},
    {"*", ChangeClass::refused, "refused: needs a run of its own"},
}};

std::string shown(const std::string& value) { return value.empty() ? "(unset)" : value; }

}  // namespace

bool shapes_weights(const std::string& setting) {
  constexpr std::array<const char*, 10> kSettings{
      "model.layers", "model.width",     "model.heads",   "model.kv_heads", "model.head_dim",
      "model.gated",  "model.ffn_width", "model.qk_norm", "model.tied",     "model.vocabulary"};
  return std::find(kSettings.begin(), kSettings.end(), setting) != kSettings.end();
}

std::vector<Change> classify_changes(const std::vector<config::Difference>& differences) {
  std::vector<Change> changes;
  for (const config::Difference& difference : differences) {
    for (const Class& entry : kClasses) {
      if (!base::glob_match(entry.pattern, difference.path)) continue;
      changes.push_back({difference, entry.kind, entry.note});
      break;
    }
  }
  return changes;
}

std::string describe_changes(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& change : changes) {
    text += base::str("changed  ", change.difference.path, " ", shown(change.difference.before),
                      " -> ", shown(change.difference.after), " (", change.note, ")\n");
  }
  return text;
}

}  // namespace muonlab::record
