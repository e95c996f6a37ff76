#include "muonlab/study/report/compare.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/config/load.hpp"
#include "study/ablation/optional_json.hpp"

namespace muonlab::study {
namespace {

using Json = nlohmann::ordered_json;

std::vector<SettingDifference> differing_settings(const std::vector<record::RunRecord>& runs) {
  std::vector<SettingDifference> settings;
  std::map<std::string, size_t> places;
  std::vector<std::map<std::string, std::string>> changed(runs.size());  // against the first run
  for (size_t i = 1; i < runs.size(); ++i) {
    for (const config::Difference& difference :
         config::diff_configs(runs[0].config, runs[i].config)) {
      if (difference.path == "name") continue;
      changed[i][difference.path] = difference.after;
      if (places.emplace(difference.path, settings.size()).second) {
        settings.push_back(
            {difference.path, std::vector<std::string>(runs.size(), difference.before)});
      }
    }
  }
  for (size_t i = 1; i < runs.size(); ++i) {
    for (const auto& [path, value] : changed[i]) settings[places.at(path)].values[i] = value;
  }
  return settings;
}

void find_parting(Comparison& comparison) {
  std::map<int64_t, std::vector<double>> losses;
  for (const record::RunRecord& run : comparison.runs) {
    for (const record::TrainPoint& point : run.train) losses[point.step].push_back(point.loss);
  }
  for (const auto& [step, values] : losses) {
    if (values.size() < comparison.runs.size()) continue;
    ++comparison.common_steps;
    const bool same = std::all_of(values.begin(), values.end(), [&](double value) {
      return value == values[0] || (std::isnan(value) && std::isnan(values[0]));
    });
    if (same || comparison.parting) continue;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    comparison.parting = Parting{step, values, *high - *low};
  }
}

std::optional<Reached> reach(const record::RunRecord& run, double target) {
  const record::Validation* before = nullptr;
  for (const record::Validation& now : run.validations) {
    if (now.loss <= target) {
      double step = static_cast<double>(now.step);
      if (before && std::isfinite(before->loss)) {
        step -= static_cast<double>(now.step - before->step) * (target - now.loss) /
                (before->loss - now.loss);
      }
      return Reached{step, step * static_cast<double>(run.tokens_per_step)};
    }
    before = &now;
  }
  return std::nullopt;
}

RunFigures figures_of(const record::RunRecord& run) {
  RunFigures figures;
  if (!run.train.empty()) figures.train_loss = run.train.back().loss;
  for (const record::Validation& validation : run.validations) {
    if (!figures.best || validation.loss < figures.best->loss) figures.best = validation;
    figures.last = validation;
  }
  std::vector<double> rates;
  double seconds = 0, optimizer_s = 0;
  for (const record::StepTiming& timing : run.timing) {
    rates.push_back(timing.tokens_per_s);
    seconds += timing.seconds;
    optimizer_s += timing.optimizer_s;
  }
  if (!rates.empty()) figures.tokens_per_s = base::median(rates);
  if (seconds > 0) figures.optimizer_share = optimizer_s / seconds;
  return figures;
}

void put_validation(Json& json, const char* key,
                    const std::optional<record::Validation>& validation) {
  if (validation) json[key] = Json{{"step", validation->step}, {"loss", validation->loss}};
}

}  // namespace

Comparison compare_runs(std::vector<record::RunRecord> runs, std::optional<double> target) {
  Comparison comparison{
      .runs = std::move(runs), .figures = {}, .settings = {}, .parting = {}, .target = target};
  bool all_validated = true;
  double worst = -INFINITY;
  for (const record::RunRecord& run : comparison.runs) {
    if (run.train.empty() && run.validations.empty()) {
      throw base::Error(run.path,
                        ": has recorded no step yet; compare it when its training has begun");
    }
    const RunFigures& figures = comparison.figures.emplace_back(figures_of(run));
    all_validated &= figures.best.has_value();
    if (figures.best) worst = std::max(worst, figures.best->loss);
  }
  if (!comparison.target && all_validated) comparison.target = worst;
  for (size_t i = 0; comparison.target && i < comparison.runs.size(); ++i) {
    comparison.figures[i].reached = reach(comparison.runs[i], *comparison.target);
  }
  comparison.settings = differing_settings(comparison.runs);
  find_parting(comparison);
  return comparison;
}

Json comparison_json(const Comparison& comparison) {
  Json runs = Json::array(), settings = Json::array();
  for (size_t i = 0; i < comparison.runs.size(); ++i) {
    const record::RunRecord& run = comparison.runs[i];
    const RunFigures& figures = comparison.figures[i];
    Json& entry =
        runs.emplace_back(Json{{"path", run.path}, {"name", run.name}, {"finished", run.finished}});
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
  Json json{{"runs", runs}, {"settings", settings}, {"common_steps", comparison.common_steps}};
  if (const std::optional<Parting>& parting = comparison.parting) {
    json["first_difference"] =
        Json{{"step", parting->step}, {"losses", parting->losses}, {"spread", parting->spread}};
  }
  put(json, "target_loss", comparison.target);
  return json;
}

}  // namespace muonlab::study
