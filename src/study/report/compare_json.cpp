// The figures of a comparison, for scripts.
#include <nlohmann/json.hpp>

#include "muonlab/study/report/compare.hpp"
#include "study/ablation/optional_json.hpp"
#include "study/report/history_json.hpp"

namespace muonlab::study {
namespace {

using Json = nlohmann::ordered_json;

void put_validation(Json& json, const char* key,
                    const std::optional<record::Validation>& validation) {
  if (validation)
    json[key] = Json{{"step", validation->step},
                     {"loss", validation->loss},
                     {"bits_per_byte", validation->bits_per_byte}};
}

}  // namespace

Json comparison_json(const Comparison& comparison) {
  Json runs = Json::array(), settings = Json::array();
  for (size_t i = 0; i < comparison.runs.size(); ++i) {
    const record::RunRecord& run = comparison.runs[i];
    const RunFigures& figures = comparison.figures[i];
    Json& entry = runs.emplace_back(Json{{"path", run.path},
                                         {"name", run.name},
                                         {"finished", run.finished()},
                                         {"state", record::state_name(run.state)}});
    if (const Json changes = changes_json(run); !changes.empty()) entry["changes"] = changes;
    put(entry, "train_loss", figures.train_loss);
    put_validation(entry, "validation", figures.last);
    put_validation(entry, "best_validation", figures.best);
    put(entry, "tokens_per_s", figures.tokens_per_s);
    put(entry, "optimizer_share", figures.optimizer_share);
    if (figures.reached)
      entry["reached"] = Json{{"step", figures.reached->step}, {"tokens", figures.reached->tokens}};
  }
  for (const SettingDifference& setting : comparison.settings) {
    Json values = Json::array();
    for (const std::string& value : setting.values)
      values.push_back(value.empty() ? Json() : Json::parse(value));
    settings.push_back(Json{{"path", setting.path}, {"values", values}});
  }
  const Comparability& comparable = comparison.comparability;
  Json json{{"comparable", Json{{"losses", comparable.losses},
                                {"bits_per_byte", comparable.bits_per_byte},
                                {"reasons", comparable.reasons}}},
            {"runs", runs},
            {"settings", settings},
            {"common_steps", comparison.common_steps}};
  if (const std::optional<FirstDifference>& first = comparison.first_difference) {
    json["first_difference"] =
        Json{{"step", first->step}, {"losses", first->losses}, {"spread", first->spread}};
  }
  put(json, "target_loss", comparison.target);
  return json;
}

}  // namespace muonlab::study
