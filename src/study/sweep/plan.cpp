#include "muonlab/study/sweep/plan.hpp"

#include <algorithm>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/batch_sizes.hpp"
#include "muonlab/config/load.hpp"
#include "rates.hpp"
#include "search.hpp"

namespace muonlab::study {
namespace {

using config::Settings;

constexpr size_t kLongestName = 200;  // of a cell, which is a folder's

void append(Settings& settings, const Settings& more) {
  settings.insert(settings.end(), more.begin(), more.end());
}

std::vector<std::string> texts(const Settings& settings) {
  std::vector<std::string> list;
  for (const config::SweptSetting& setting : settings) list.push_back(setting.text);
  return list;
}

bool selected(const config::Selection& only, const std::string& axis, const std::string& value) {
  const auto found = only.find(axis);
  return found == only.end() ||
         std::find(found->second.begin(), found->second.end(), value) != found->second.end();
}

}  // namespace

// Values of all axes but the compared one.
struct SweepPlanner::Block {
  std::map<std::string, std::string> at;
  std::string label, name;  // "fair 64"; "fair-width_64-", a prefix of cells' names
  Settings settings;        // of the axes
  Settings rates;           // found so far, for all rows
  bool ready = true;        // no search for all rows is open
  std::map<std::string, Settings> row_rates;  // found so far, for one row alone
  std::set<std::string> open_rows;            // whose own search is open

  bool is_ready(const std::string& row) const { return ready && !open_rows.contains(row); }
  Settings rates_of(const std::string& row) const {
    Settings all = rates;
    if (const auto own = row_rates.find(row); own != row_rates.end()) append(all, own->second);
    return all;
  }
};

struct SweepPlanner::Request {
  std::string name;  // without the seed of a cell of the grid
  Settings settings;
  std::optional<int64_t> seed;  // absent: the base's own
  bool tuning = false;
};

const Cell* SweepPlanner::configured(const Settings& settings, const std::string& name) {
  const std::string settings_text = base::join(texts(settings), "\n");
  const auto cached = cache_.find(settings_text);
  if (cached != cache_.end()) return &cached->second;
  Cell cell{.name = {}, .tuning = false, .config = {}, .key = {}};
  // Weights alone are kept of a finished cell, unless a setting below says otherwise.
  Settings swept{{"checkpoint.final=weights", sweep_.path}};
  append(swept, settings);
  try {
    cell.config = config::load_config(sweep_.base, {}, texts(swept)).run;
  } catch (const config::ConfigError& error) {
    problems_.add(error, name, swept);
    return nullptr;
  }
  if (!cell.config.eval.windows) cell.config.eval.windows = windows_;
  config::TrainConfig& train = cell.config.train;
  if (train.accumulates() && !train.reduction) train.reduction = reduction_;
  cell.config.name.clear();
  cell.key = config::dump_config(cell.config);
  return &cache_.emplace(settings_text, std::move(cell)).first->second;
}

std::optional<size_t> SweepPlanner::add_cell(SweepPlan& plan, Request request) {
  if (problems_.is_full()) return std::nullopt;
  const auto named = [&](int64_t seed) {
    return request.tuning ? request.name : base::str(request.name, "s", seed);
  };
  if (request.seed) request.settings.push_back({base::str("seed=", *request.seed), sweep_.path});
  const Cell* known = configured(request.settings, named(request.seed.value_or(1)));
  if (!known) return std::nullopt;
  const auto [found, is_new] = index_by_key_.emplace(known->key, plan.cells.size());
  if (!is_new) return found->second;
  Cell cell = *known;
  cell.name = named(cell.config.seed);
  cell.tuning = request.tuning;
  // Trials of two stages at one row may differ in nothing but what the first one found.
  for (int number = 2; !names_.insert(cell.name).second; ++number)
    cell.name = base::str(named(cell.config.seed), "-", number);
  cell.config.name = cell.name;
  if (cell.name.size() > kLongestName) {
    problems_.add({sweep_.path, "axes",
                   base::str("a cell's name has more than ", kLongestName,
                             " characters; name the values, or sweep fewer axes at once")},
                  base::clip_text(cell.name, 60));
  }
  plan.cells.push_back(std::move(cell));
  return plan.cells.size() - 1;
}

// The rounds before the full length are shorter than it.
void SweepPlanner::check_rungs(const config::TuneStage& stage, const std::string& row,
                               const Settings& settings) {
  if (stage.rungs.empty()) return;
  const Cell* whole = configured(settings, row);
  if (!whole) return;
  const config::TrainConfig& train = whole->config.train;
  std::optional<int64_t> steps = train.steps;
  if (train.tokens)
    steps = config::BatchSizes(whole->config)
                .steps_for((*train.tokens + whole->config.model.context - 1) /
                           whole->config.model.context);
  if (!steps || stage.rungs.back() < *steps) return;
  problems_.add({sweep_.path, "tune",
                 base::str("rungs go up to ", stage.rungs.back(), " steps, but the runs have ",
                           *steps, "; every rung is shorter than a run")},
                row);
}

std::optional<Settings> SweepPlanner::search_row(SweepPlan& plan, const Block& block,
                                                 const config::TuneStage& stage,
                                                 const std::string& row, const LossOf& loss_of,
                                                 bool guess) {
  Settings settings = sweep_.settings;
  append(settings, block.settings);
  for (const config::Axis& axis : sweep_.axes) {
    for (const config::AxisValue& value : axis.values) {
      if (axis.name == sweep_.compare_axis && value.name == row) append(settings, value.settings);
    }
  }
  append(settings, block.rates_of(row));
  check_rungs(stage, row, settings);
  RateSearch search{
      .block = block.label, .row = row, .own_rates = stage.own_rates, .rates = stage.rates};
  run_search(stage, search, [&](const TrialRequest& trial) -> TrialAnswer {
    Request request{.name = "tune-" + block.name + row + trial.name,
                    .settings = settings,
                    .seed = trial.seed ? trial.seed : stage.seed,
                    .tuning = true};
    append(request.settings, rate_settings(search.rates, trial.rates));
    if (trial.steps > 0)
      request.settings.push_back({base::str("train.steps=", trial.steps), sweep_.path});
    const std::optional<size_t> cell = add_cell(plan, std::move(request));
    return {cell, cell ? loss_of(plan.cells[*cell]) : std::nullopt};
  });
  const std::optional<std::vector<double>> rates =
      search.best || !guess ? search.best : std::optional(start_of(stage.rates));
  if (!search.best && !search.all_diverged) {
    plan.max_more_trials +=
        std::max(0.0, config::num_trials(stage) - static_cast<double>(num_runs(search)));
  }
  plan.searches.push_back(std::move(search));
  return rates ? std::optional(rate_settings(stage.rates, *rates)) : std::nullopt;
}

void SweepPlanner::search(SweepPlan& plan, Block& block, const LossOf& loss_of, bool guess) {
  for (const config::TuneStage& stage : sweep_.tune) {
    const auto is_for = [&](const auto& axis) {
      return selected(stage.only, axis.first, axis.second);
    };
    if (!std::all_of(block.at.begin(), block.at.end(), is_for)) continue;
    for (const std::string& row : stage.rows) {
      if (block.open_rows.contains(row)) continue;
      const std::optional<Settings> found = search_row(plan, block, stage, row, loss_of, guess);
      if (found && stage.own_rates) append(block.row_rates[row], *found);
      if (found && !stage.own_rates) append(block.rates, *found);
      if (!found && stage.own_rates) block.open_rows.insert(row);
      if (!found && !stage.own_rates) {
        block.ready = false;
        return;
      }
    }
  }
}

void SweepPlanner::add_points(SweepPlan& plan, const std::vector<Block>& blocks,
                              const std::vector<Block>& rows) {
  std::set<std::string> seen;
  const auto add = [&](const Block& block, const Block& row, std::optional<int64_t> seed) {
    const std::string name = block.name + row.name;
    if (!seen.insert(seed ? base::str(name, "s", *seed) : name).second) return;
    const auto compared = row.at.find(sweep_.compare_axis);
    const std::string row_name = compared == row.at.end() ? "" : compared->second;
    if (!block.is_ready(row_name)) {
      ++plan.num_waiting;
      return;
    }
    Request request{.name = name, .settings = sweep_.settings, .seed = seed};
    append(request.settings, block.settings);
    append(request.settings, row.settings);
    append(request.settings, block.rates_of(row_name));
    if (const std::optional<size_t> cell = add_cell(plan, std::move(request)))
      plan.points.push_back({block.label, row.label, plan.cells[*cell].config.seed, *cell});
  };
  for (const config::SweepRuns& runs : sweep_.runs) {
    const auto wanted = [&](const Block& part) {
      return std::all_of(part.at.begin(), part.at.end(),
                         [&](const auto& at) { return selected(runs.only, at.first, at.second); });
    };
    for (const Block& block : blocks) {
      for (const Block& row : rows) {
        if (!wanted(block) || !wanted(row)) continue;
        if (runs.seeds.empty()) add(block, row, std::nullopt);
        for (const int64_t seed : runs.seeds) add(block, row, seed);
      }
    }
  }
}

SweepPlan SweepPlanner::build(const LossOf& loss_of, bool guess) {
  SweepPlan plan;
  index_by_key_.clear();
  names_.clear();
  problems_ = {};
  const bool compares = !sweep_.compare_axis.empty();

  // Blocks, and the rows of a block. Without a comparison there is one block, and every point is a
  // row of its own.
  std::vector<Block> blocks{{}}, rows{{}};
  for (const config::Axis& axis : sweep_.axes) {
    std::vector<Block>& list = compares && axis.name != sweep_.compare_axis ? blocks : rows;
    std::vector<Block> longer;
    for (const Block& so_far : list) {
      for (const config::AxisValue& value : axis.values) {
        Block next = so_far;
        next.at[axis.name] = value.name;
        append(next.settings, value.settings);
        if (axis.values.size() > 1 || axis.name == sweep_.compare_axis) {
          const std::string shown = axis.named ? value.name : axis.name + "_" + value.name;
          next.label += (next.label.empty() ? "" : " ") +
                        (axis.named ? value.name : axis.name + " " + value.name);
          next.name += shown + "-";
        }
        longer.push_back(std::move(next));
      }
    }
    list = std::move(longer);
  }

  for (Block& block : blocks) search(plan, block, loss_of, guess);
  add_points(plan, blocks, rows);
  problems_.raise();
  return plan;
}

SweepPlan SweepPlanner::plan(const LossOf& loss_of) { return build(loss_of, false); }

SweepPlan SweepPlanner::outline(const LossOf& loss_of) { return build(loss_of, true); }

}  // namespace muonlab::study
