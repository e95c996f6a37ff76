#include "muonlab/study/report/compare.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::study {
namespace {

// A setting's changes at resumes, as (step, change), in order.
std::vector<std::pair<int64_t, config::Difference>> changes_of(const record::RunRecord& run,
                                                               const std::string& path) {
  std::vector<std::pair<int64_t, config::Difference>> found;
  for (const record::RunStart& start : run.history.changed()) {
    for (const record::Change& change : start.changes) {
      if (change.difference.path == path) found.emplace_back(start.step, change.difference);
    }
  }
  return found;
}

// Settings by path with each run's last value.
class SettingTable {
 public:
  explicit SettingTable(size_t num_runs) : num_runs_(num_runs) {}

  // The setting's row; a new one holds the value of all runs that nothing else is said of.
  SettingDifference& row(const std::string& path, const std::string& usual) {
    const auto same = [&](const SettingDifference& setting) { return setting.path == path; };
    const auto found = std::find_if(rows_.begin(), rows_.end(), same);
    if (found != rows_.end()) return *found;
    return rows_.emplace_back(path, std::vector<std::string>(num_runs_, usual));
  }
  std::vector<SettingDifference> rows() && { return std::move(rows_); }

 private:
  size_t num_runs_;
  std::vector<SettingDifference> rows_;
};

std::vector<SettingDifference> differing_settings(const std::vector<record::RunRecord>& runs) {
  SettingTable table(runs.size());
  for (size_t i = 1; i < runs.size(); ++i) {
    for (const config::Difference& difference :
         config::diff_configs(runs[0].config, runs[i].config)) {
      if (difference.path != "name")
        table.row(difference.path, difference.before).values[i] = difference.after;
    }
  }
  // A path without a row has one last value in all runs: what it was changed to.
  for (const record::RunRecord& run : runs) {
    for (const record::RunStart& start : run.history.changed()) {
      for (const record::Change& change : start.changes) {
        const std::string& path = change.difference.path;
        table.row(path, changes_of(run, path).back().second.after);
      }
    }
  }
  std::vector<SettingDifference> rows = std::move(table).rows();
  std::erase_if(rows, [&](const SettingDifference& setting) {
    const std::string first = value_over_time(runs[0], setting.path, setting.values[0]);
    for (size_t i = 1; i < runs.size(); ++i) {
      if (value_over_time(runs[i], setting.path, setting.values[i]) != first) return false;
    }
    return true;
  });
  return rows;
}

void find_first_difference(Comparison& comparison) {
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
    if (same || comparison.first_difference || !comparison.comparability.training) continue;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    comparison.first_difference = FirstDifference{step, values, *high - *low};
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
      return Reached{step, run.tokens_after(step)};
    }
    before = &now;
  }
  return std::nullopt;
}

RunFigures figures_of(const record::RunRecord& run) {
  RunFigures figures;
  for (const record::Validation& validation : run.validations) {
    if (!std::isfinite(validation.loss)) continue;
    if (!figures.best || validation.loss < figures.best->loss) figures.best = validation;
  }
  // An earlier loss is no result of a run that diverged.
  if (!run.diverged()) {
    if (!run.train.empty()) figures.train_loss = run.train.back().loss;
    if (!run.validations.empty()) figures.last = run.validations.back();
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

}  // namespace

std::string value_over_time(const record::RunRecord& run, const std::string& path,
                            const std::string& last) {
  const auto shown = [](const std::string& value) { return value.empty() ? "-" : value; };
  const auto changes = changes_of(run, path);
  if (changes.empty()) return shown(last);
  std::string text = shown(changes.front().second.before);
  for (const auto& [step, change] : changes)
    text += base::str(", from step ", step, " on ", shown(change.after));
  return text;
}

Comparison compare_runs(std::vector<record::RunRecord> runs, std::optional<double> target) {
  Comparison comparison{.runs = std::move(runs),
                        .figures = {},
                        .settings = {},
                        .comparability = {},
                        .first_difference = {},
                        .target = target};
  bool all_validated = true;
  double worst = -INFINITY;
  std::vector<const record::RunRecord*> pointers;
  for (const record::RunRecord& run : comparison.runs) {
    if (run.train.empty() && run.validations.empty()) {
      throw base::Error(run.path,
                        ": has recorded no step yet; compare it when its training has begun");
    }
    pointers.push_back(&run);
    const RunFigures& figures = comparison.figures.emplace_back(figures_of(run));
    if (run.diverged()) continue;  // nothing that it reached is a result
    all_validated &= figures.best.has_value();
    if (figures.best) worst = std::max(worst, figures.best->loss);
  }
  comparison.comparability = comparability(pointers);
  if (target && !comparison.comparability.losses) {
    throw base::Error(comparison.comparability.reasons.front(),
                      " There is no loss that all could reach; leave --loss out.");
  }
  if (!target && all_validated && std::isfinite(worst) && comparison.comparability.losses)
    comparison.target = worst;
  for (size_t i = 0; comparison.target && i < comparison.runs.size(); ++i) {
    if (comparison.runs[i].diverged()) continue;
    comparison.figures[i].reached = reach(comparison.runs[i], *comparison.target);
  }
  comparison.settings = differing_settings(comparison.runs);
  find_first_difference(comparison);
  return comparison;
}

}  // namespace muonlab::study
