#include <algorithm>
#include <cmath>

#include "muonlab/config/sweep.hpp"

namespace muonlab::config {
namespace {

// The points of the grid of all axes that `counts`, where `only` leaves them.
double num_points(const SweepConfig& sweep, const Selection& only, const auto& counts) {
  double points = 1;
  for (const Axis& axis : sweep.axes) {
    if (!counts(axis)) continue;
    const auto chosen = only.find(axis.name);
    points *=
        static_cast<double>(chosen == only.end() ? axis.values.size() : chosen->second.size());
  }
  return points;
}

}  // namespace

double num_trials(const TuneStage& stage) {
  const double repeats =
      static_cast<double>(stage.finalists) * static_cast<double>(stage.final_seeds.size());
  double round = 1;
  for (const RateGrid& rate : stage.rates) round *= static_cast<double>(rate.grid.size());
  if (stage.kind == SearchKind::coordinates) round = static_cast<double>(stage.max_runs);
  double trials = round;
  for (size_t i = 0; i < stage.rungs.size(); ++i) {
    round = std::ceil(round * stage.keep);
    if (round == 1 && stage.final_seeds.empty()) break;  // nothing hangs on its run
    trials += round;
  }
  return trials + repeats;
}

double num_cells(const SweepConfig& sweep) {
  const auto every = [](const Axis&) { return true; };
  const auto of_block = [&](const Axis& axis) { return axis.name != sweep.compare_axis; };
  double cells = 0;
  for (const SweepRuns& runs : sweep.runs) {
    cells += num_points(sweep, runs.only, every) *
             static_cast<double>(std::max<size_t>(runs.seeds.size(), 1));
  }
  for (const TuneStage& stage : sweep.tune) {
    cells += num_points(sweep, stage.only, of_block) * static_cast<double>(stage.rows.size()) *
             num_trials(stage);
  }
  return std::max(cells, num_points(sweep, {}, every));
}

}  // namespace muonlab::config
