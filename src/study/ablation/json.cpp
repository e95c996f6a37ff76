#include "muonlab/study/ablation/ablation.hpp"
#include "study/ablation/optional_json.hpp"

namespace muonlab::study {
namespace {

using Json = nlohmann::ordered_json;

void put_estimate(Json& json, const char* key, const std::optional<Estimate>& estimate) {
  if (!estimate) return;
  Json& entry = json[key] = Json{{"n", estimate->n}, {"value", estimate->value}};
  put(entry, "standard_error", estimate->standard_error);
  if (!estimate->interval) return;
  if (estimate->interval->bounded()) {
    entry["interval"] = {estimate->interval->low, estimate->interval->high};
  } else {
    entry["interval"] = "unbounded";
  }
}

}  // namespace

Json ablation_json(const AblationAnswer& answer) {
  Json rows = Json::array();
  for (const RowAnswer& row : answer.rows) {
    Json& entry = rows.emplace_back(Json{{"name", row.name}, {"label", row.label}});
    put_estimate(entry, "loss", row.loss);
    put(entry, "standard_deviation", row.deviation);
    put_estimate(entry, "gain", row.gain);
    put_estimate(entry, "loss_minus_reference", row.behind);
    put(entry, "p", row.p);
    put(entry, "p_holm", row.p_holm);
    if (answer.gain_is_certain()) put_estimate(entry, "recovered", row.recovered);
    if (row.reach) {
      Json& reach = entry["steps_to_baseline_loss"] =
          Json{{"n", row.reach->num_seeds}, {"reached", row.reach->num_reached}};
      put(reach, "share", row.reach->share);
      if (row.reach->interval)
        reach["interval"] = {row.reach->interval->low, row.reach->interval->high};
    }
    put(entry, "published_loss", row.published);
    put(entry, "published_recovered", row.published_recovered);
    if (row.num_diverged > 0) entry["diverged"] = row.num_diverged;
    if (row.num_doubtful > 0) entry["doubtful"] = row.num_doubtful;
  }
  return {{"title", answer.title},
          {"baseline", answer.baseline},
          {"reference", answer.reference},
          {"verdict", answer.verdict},
          {"rows", rows}};
}

}  // namespace muonlab::study
