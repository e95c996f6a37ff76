#include "muonlab/record/changes.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::record {
namespace {

struct Class {
  const char* pattern;  // glob on the setting's path; the first match decides
  ChangeClass kind;
  bool keeps_record;
  const char* note;
};

constexpr const char* kRounding = "rounding may differ from here on";
constexpr const char* kLength = "changes the schedule's end";
constexpr const char* kRates = "changes the learning rate from here on";
constexpr const char* kUpdates = "changes the updates from here on";
// Checked after the settings: the content of the data and the tokenizer must be the same.
constexpr const char* kSameContent = "another place: allowed where the content is the same";

constexpr const char* kOtherWindows = "validation losses before and after do not compare";

constexpr std::array<Class, 39> kClasses{{
    {"name", ChangeClass::safe, true, "safe"},
    {"threads", ChangeClass::safe, true, kRounding},
    {"device", ChangeClass::safe, true, kRounding},
    {"kernels", ChangeClass::safe, true, kRounding},
    {"train.micro_batch", ChangeClass::safe, true, kRounding},
    {"train.reduction", ChangeClass::safe, true, kRounding},
    {"build.*", ChangeClass::safe, true, kRounding},
    {"checkpoint.*", ChangeClass::safe, true, "safe"},
    {"eval.samples", ChangeClass::safe, false, kOtherWindows},
    {"eval.windows", ChangeClass::safe, false, kOtherWindows},
    {"eval.*", ChangeClass::safe, false, "safe"},
    {"probes*", ChangeClass::safe, false, "safe"},
    {"train.steps", ChangeClass::length, false, kLength},
    {"train.tokens", ChangeClass::length, false, kLength},
    {"train.epochs", ChangeClass::length, false, kLength},
    {"train.seconds", ChangeClass::length, false, kLength},
    {"train.batch", ChangeClass::training, false, "changes the batch from here on"},
    {"train.batch_ramp*", ChangeClass::training, false, "changes the batch from here on"},
    {"train.clip", ChangeClass::training, false, kUpdates},
    {"train.qk_clip", ChangeClass::training, false, kUpdates},
    {"train.z_loss", ChangeClass::training, false, kUpdates},
    {"train.average", ChangeClass::safe, false, kOtherWindows},
    {"schedule*", ChangeClass::training, false, kRates},
    {"optimizers.*.lr", ChangeClass::training, false, kRates},
    {"optimizers.*.schedule*", ChangeClass::training, false, kRates},
    {"optimizers.*.decay_fraction", ChangeClass::training, false, kRates},
    {"optimizers.*", ChangeClass::training, false, kUpdates},
    {"optimizers", ChangeClass::training, false, kUpdates},
    {"assign*", ChangeClass::training, false, "changes which optimizer updates what"},
    {"log", ChangeClass::safe, true, "safe"},
    {"log.*", ChangeClass::safe, true, "safe"},
    {"data.weights*", ChangeClass::training, false, "changes the mixture from here on"},
    {"data.valid_sets", ChangeClass::safe, false, "safe"},
    {"data.valid_sets.*", ChangeClass::safe, false, "safe"},
    {"data.train", ChangeClass::safe, false, kSameContent},
    {"data.valid", ChangeClass::safe, false, kSameContent},
    {"data.tokenizer", ChangeClass::safe, false, kSameContent},
    {"data.tokenizer.path", ChangeClass::safe, false, kSameContent},
    {"*", ChangeClass::refused, false, "refused: needs a run of its own"},
}};

const Class& class_of(const std::string& setting) {
  return *std::find_if(kClasses.begin(), kClasses.end(), [&](const Class& entry) {
    return base::glob_match(entry.pattern, setting);
  });
}

const char* permission(ChangeClass kind, bool allow_change) {
  switch (kind) {
    case ChangeClass::length: return ": allowed";
    case ChangeClass::training:
      return allow_change ? ": allowed by --allow-change" : ": needs --allow-change";
    case ChangeClass::safe:
    case ChangeClass::refused: break;
  }
  return "";
}

std::string shown(const std::string& value) { return value.empty() ? "(unset)" : value; }

}  // namespace

bool shapes_weights(const config::Difference& difference) {
  constexpr std::array<const char*, 14> kSettings{
      "model.layers",    "model.width",         "model.heads",     "model.kv_heads",
      "model.head_dim",  "model.gated",         "model.ffn_width", "model.qk_norm",
      "model.tied",      "model.vocabulary",    "model.ffn_bias",  "model.head_bias",
      "model.post_norm", "model.attention_bias"};
  // Of these, one choice has tensors; branches may change between the others.
  constexpr std::array<std::pair<const char*, const char*>, 2> kChoices{
      {{"model.embedding_norm", "\"gain\""}, {"model.value_residual", "\"learned\""}}};
  return std::find(kSettings.begin(), kSettings.end(), difference.path) != kSettings.end() ||
         std::any_of(kChoices.begin(), kChoices.end(), [&](const auto& choice) {
           return difference.path == choice.first &&
                  (difference.before == choice.second || difference.after == choice.second);
         });
}

const char* change_class_name(ChangeClass kind) {
  switch (kind) {
    case ChangeClass::safe: return "safe";
    case ChangeClass::length: return "length";
    case ChangeClass::training: return "training";
    case ChangeClass::refused: return "refused";
  }
  return "";
}

bool decides_rates(const std::string& setting) {
  const Class& found = class_of(setting);
  return found.kind == ChangeClass::length || std::string_view(found.note) == kRates;
}

bool changes_validation(const std::string& setting) {
  return std::string_view(class_of(setting).note) == kOtherWindows;
}

bool keeps_record(const std::string& setting) { return class_of(setting).keeps_record; }

bool places_data(const std::string& setting) {
  return std::string_view(class_of(setting).note) == kSameContent;
}

std::vector<Change> classify_changes(const std::vector<config::Difference>& differences) {
  std::vector<Change> changes;
  for (const config::Difference& difference : differences) {
    const Class& found = class_of(difference.path);
    changes.push_back({difference, found.kind, found.note});
  }
  return changes;
}

std::string describe_difference(const config::Difference& difference) {
  return base::str(difference.path, " ", shown(difference.before), " -> ", shown(difference.after));
}

std::string describe_changes(const std::vector<Change>& changes, bool allow_change) {
  std::string text;
  for (const Change& change : changes) {
    text += base::str("changed  ", describe_difference(change.difference), " (", change.note,
                      permission(change.kind, allow_change), ")\n");
  }
  return text;
}

}  // namespace muonlab::record
