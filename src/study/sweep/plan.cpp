#include "muonlab/study/sweep/plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::study {
namespace {

using config::Settings;

constexpr size_t kMaxExtensions = 4;  // of a grid, at either end

void append(Settings& settings, const Settings& more) {
  settings.insert(settings.end(), more.begin(), more.end());
}

bool selected(const config::Selection& only, const std::string& axis, const std::string& value) {
  const auto found = only.find(axis);
  return found == only.end() ||
         std::find(found->second.begin(), found->second.end(), value) != found->second.end();
}

std::string number(double value) { return base::significant(value, 6); }

// "adam.lr" of "optimizers.adam.lr".
std::string short_path(const std::string& path) {
  return path.starts_with("optimizers.") ? path.substr(std::string_view("optimizers.").size())
                                         : path;
}

Settings rate_settings(const std::vector<config::RateGrid>& grids,
                       const std::vector<double>& rates) {
  Settings settings;
  for (size_t i = 0; i < grids.size(); ++i) {
    for (const std::string& path : grids[i].paths)
      settings.push_back(path + "=" + number(rates[i]));
  }
  return settings;
}

// All combinations of the grids, the last one varying fastest.
std::vector<std::vector<double>> product(const std::vector<config::RateGrid>& grids) {
  std::vector<std::vector<double>> points{{}};
  for (const config::RateGrid& grid : grids) {
    std::vector<std::vector<double>> longer;
    for (const std::vector<double>& point : points) {
      for (const double value : grid.grid) {
        longer.push_back(point);
        longer.back().push_back(value);
      }
    }
    points = std::move(longer);
  }
  return points;
}

// Where the best is at an edge of a grid, one value beyond it. Three significant digits keep the
// values readable.
bool extend(std::vector<config::RateGrid>& grids, const std::vector<double>& best,
            const std::vector<config::RateGrid>& original, bool& at_edge) {
  bool grew = false;
  for (size_t i = 0; i < grids.size(); ++i) {
    std::vector<double>& grid = grids[i].grid;
    const bool low = best[i] == grid.front(), high = best[i] == grid.back();
    if (!low && !high) continue;
    const std::vector<double>& first = original[i].grid;
    const auto beyond = static_cast<size_t>(std::count_if(grid.begin(), grid.end(), [&](double v) {
      return low ? v < first.front() : v > first.back();
    }));
    if (beyond >= kMaxExtensions) {
      at_edge = true;
      continue;
    }
    const double ratio =
        low ? first[1] / first[0] : first[first.size() - 1] / first[first.size() - 2];
    const double next =
        std::stod(base::significant(low ? grid.front() / ratio : grid.back() * ratio, 3));
    grid.insert(low ? grid.begin() : grid.end(), next);
    grew = true;
  }
  return grew;
}

// A configuration's problems as those of the sweep file: a setting of a cell is shown as it is, not
// by its number.
std::vector<config::Problem> problems_of_cell(const config::ConfigError& error,
                                              const std::string& file, const std::string& cell,
                                              const Settings& swept) {
  constexpr std::string_view kNumbered = "sweep setting ";
  std::vector<config::Problem> problems;
  for (config::Problem problem : error.problems()) {
    if (problem.where.starts_with(kNumbered)) {
      problem.where =
          swept.at(static_cast<size_t>(std::stoi(problem.where.substr(kNumbered.size()))) - 1);
    }
    problems.push_back({file, "cell " + cell, problem.line()});
  }
  return problems;
}

}  // namespace

// Values of all axes but the compared one.
struct SweepPlanner::Block {
  std::map<std::string, std::string> at;
  std::string label, name;  // "fair 64"; "fair-width_64-", a prefix of cells' names
  Settings settings;        // of the axes
  Settings rates;           // found so far
  bool ready = false;       // no search of it is open

  std::string text() const { return label; }
};

size_t SweepPlanner::add_cell(SweepPlan& plan, const std::string& name, Settings settings,
                              int64_t seed, bool tuning) {
  settings.push_back(base::str("seed=", seed));
  const std::string settings_text = base::join(settings, "\n");
  auto cached = cache_.find(settings_text);
  if (cached == cache_.end()) {
    Cell cell{.name = name, .tuning = tuning, .config = {}, .key = {}};
    // Weights alone are kept of a finished cell, unless a setting below says otherwise.
    Settings swept{"checkpoint.final=weights"};
    append(swept, settings);
    try {
      cell.config = config::load_config(sweep_.base, {}, swept).run;
    } catch (const config::ConfigError& error) {
      throw config::ConfigError(problems_of_cell(error, sweep_.path, name, swept));
    }
    cell.config.name.clear();
    cell.key = config::dump_config(cell.config);
    cached = cache_.emplace(settings_text, std::move(cell)).first;
  }
  const auto [found, is_new] = index_by_key_.emplace(cached->second.key, plan.cells.size());
  if (!is_new) return found->second;
  Cell cell = cached->second;
  cell.name = cell.config.name = name;
  cell.tuning = tuning;
  plan.cells.push_back(std::move(cell));
  return plan.cells.size() - 1;
}

bool SweepPlanner::search(SweepPlan& plan, Block& block, const LossOf& loss_of, bool guess) {
  for (const config::TuneStage& stage : sweep_.tune) {
    const auto is_for = [&](const auto& axis) {
      return selected(stage.only, axis.first, axis.second);
    };
    if (!std::all_of(block.at.begin(), block.at.end(), is_for)) continue;
    Settings row_settings;
    for (const config::Axis& axis : sweep_.axes) {
      for (const config::AxisValue& value : axis.values) {
        if (axis.name == sweep_.compare_axis && value.name == stage.row)
          row_settings = value.settings;
      }
    }
    RateSearch search{
        .block = block.label, .row = stage.row, .rates = stage.rates, .trials = {}, .best = {}};
    for (bool grew = true; grew;) {
      grew = false;
      search.trials.clear();
      for (const std::vector<double>& rates : product(search.rates)) {
        Settings settings = sweep_.settings;
        append(settings, block.settings);
        append(settings, row_settings);
        append(settings, block.rates);
        append(settings, rate_settings(search.rates, rates));
        std::string name = "tune-" + block.name + stage.row;
        for (size_t i = 0; i < rates.size(); ++i) {
          name += "-" + short_path(search.rates[i].paths.front()) + "_" + number(rates[i]);
        }
        const size_t cell = add_cell(plan, name, std::move(settings), stage.seed, true);
        search.trials.push_back({rates, cell, loss_of(plan.cells[cell])});
      }
      const auto known = [](const Trial& trial) { return trial.loss.has_value(); };
      if (!std::all_of(search.trials.begin(), search.trials.end(), known)) break;
      const Trial& best =
          *std::min_element(search.trials.begin(), search.trials.end(),
                            [](const Trial& a, const Trial& b) { return *a.loss < *b.loss; });
      if (!std::isfinite(*best.loss)) {
        throw base::Error(sweep_.path, ": tune of ", stage.row, " in ",
                          block.label.empty() ? "the sweep" : block.label,
                          ": every run diverged; lower the grid");
      }
      search.best = best.rates;
      grew = extend(search.rates, *search.best, stage.rates, search.at_edge);
      if (grew) search.best.reset();
    }
    std::optional<std::vector<double>> rates = search.best;
    if (!rates && guess) {
      rates.emplace();
      for (const config::RateGrid& grid : search.rates)
        rates->push_back(grid.grid[grid.grid.size() / 2]);
    }
    if (rates) append(block.rates, rate_settings(search.rates, *rates));
    plan.searches.push_back(std::move(search));
    if (!rates) return false;
  }
  return true;
}

SweepPlan SweepPlanner::build(const LossOf& loss_of, bool guess) {
  SweepPlan plan;
  index_by_key_.clear();
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

  for (Block& block : blocks) block.ready = search(plan, block, loss_of, guess);
  std::set<std::string> seen;
  for (const config::SweepRuns& runs : sweep_.runs) {
    for (const Block& block : blocks) {
      for (const Block& row : rows) {
        const auto wanted = [&](const auto& at) {
          return selected(runs.only, at.first, at.second);
        };
        if (!std::all_of(block.at.begin(), block.at.end(), wanted) ||
            !std::all_of(row.at.begin(), row.at.end(), wanted)) {
          continue;
        }
        for (const int64_t seed : runs.seeds) {
          const std::string name = block.name + row.name + base::str("s", seed);
          if (!seen.insert(name).second) continue;
          if (!block.ready) {
            ++plan.num_waiting;
            continue;
          }
          Settings settings = sweep_.settings;
          append(settings, block.settings);
          append(settings, row.settings);
          append(settings, block.rates);
          plan.points.push_back({block.label, row.label, seed,
                                 add_cell(plan, name, std::move(settings), seed, false)});
        }
      }
    }
  }
  return plan;
}

SweepPlan SweepPlanner::plan(const LossOf& loss_of) { return build(loss_of, false); }

SweepPlan SweepPlanner::outline(const LossOf& loss_of) { return build(loss_of, true); }

}  // namespace muonlab::study
