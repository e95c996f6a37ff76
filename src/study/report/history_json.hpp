// What was changed at a run's resumes, for scripts.
#pragma once

#include <nlohmann/json.hpp>

#include "muonlab/record/run_record.hpp"

namespace muonlab::study {

// [{"step", "path", "before", "after"}], the values as JSON; empty where one command makes the run.
inline nlohmann::ordered_json changes_json(const record::RunRecord& run) {
  const auto value = [](const std::string& text) {
    const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
    return json.is_discarded() ? nlohmann::ordered_json() : json;
  };
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const record::RunStart& start : run.history.changed()) {
    for (const record::Change& change : start.changes) {
      list.push_back({{"step", start.step},
                      {"path", change.difference.path},
                      {"before", value(change.difference.before)},
                      {"after", value(change.difference.after)}});
    }
  }
  return list;
}

}  // namespace muonlab::study
