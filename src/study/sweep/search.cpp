#include "search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "muonlab/base/text.hpp"
#include "rates.hpp"

namespace muonlab::study {
namespace {

using Rates = std::vector<double>;

// The trials of one search, each asked for once.
class Searcher {
 public:
  Searcher(const config::TuneStage& stage, RateSearch& search, const TryRates& try_rates)
      : stage_(stage), search_(search), try_rates_(try_rates) {}

 protected:
  std::optional<double> loss_of(const Rates& point, int64_t steps = 0,
                                std::optional<int64_t> seed = {}) {
    if (const Trial* known = find(point, steps, seed)) return known->loss;
    std::string name = name_of(point);
    if (steps > 0) name += base::str("-steps_", steps);
    if (seed) name += base::str("-s", *seed);
    const TrialAnswer answer = try_rates_({name, point, steps, seed});
    if (answer.cell) search_.trials.push_back({point, *answer.cell, answer.loss, steps, seed});
    return answer.loss;
  }

  // The losses of all points, each of which is asked for; absent while one is unknown.
  std::optional<std::vector<double>> losses_of(const std::vector<Rates>& points,
                                               int64_t steps = 0) {
    std::vector<double> losses;
    for (const Rates& point : points) {
      if (const std::optional<double> loss = loss_of(point, steps)) losses.push_back(*loss);
    }
    return losses.size() == points.size() ? std::optional(losses) : std::nullopt;
  }

  const Trial* find(const Rates& point, int64_t steps, std::optional<int64_t> seed) const {
    const auto same = [&](const Trial& t) {
      return t.rates == point && t.steps == steps && t.seed == seed;
    };
    const auto found = std::find_if(search_.trials.begin(), search_.trials.end(), same);
    return found == search_.trials.end() ? nullptr : &*found;
  }

  // One point of each run: a setting without effect in the row makes several points the same run,
  // of which the one nearest to the start of the grids stands for all.
  std::vector<Rates> distinct(const std::vector<Rates>& points, int64_t steps) const {
    const Rates start = start_of(stage_.rates);
    const auto num_at_start = [&](const Rates& point) {
      size_t count = 0;
      for (size_t i = 0; i < point.size(); ++i) count += point[i] == start[i];
      return count;
    };
    std::vector<Rates> kept;
    std::map<size_t, size_t> place;  // in `kept`, by cell
    for (const Rates& point : points) {
      const Trial* trial = find(point, steps, {});
      if (!trial) continue;
      const auto [found, is_new] = place.try_emplace(trial->cell, kept.size());
      if (is_new) {
        kept.push_back(point);
      } else if (num_at_start(point) > num_at_start(kept[found->second])) {
        kept[found->second] = point;
      }
    }
    return kept;
  }

  // Trains the points for the steps of each rung, then for the full length, and takes the best
  // share of each round to the next. The last one left needs no run: nothing hangs on it.
  void promote(std::vector<Rates> points) {
    std::vector<int64_t> rounds = stage_.rungs;
    rounds.push_back(0);
    for (size_t round = 0; round < rounds.size(); ++round) {
      if (round > 0 && points.size() == 1 && stage_.final_seeds.empty()) break;
      if (!losses_of(points, rounds[round])) return;
      points = distinct(points, rounds[round]);
      const auto losses = losses_of(points, rounds[round]);
      std::vector<size_t> order(points.size());
      std::iota(order.begin(), order.end(), size_t{0});
      std::stable_sort(order.begin(), order.end(),
                       [&](size_t a, size_t b) { return (*losses)[a] < (*losses)[b]; });
      search_.all_diverged = !std::isfinite((*losses)[order.front()]);
      if (search_.all_diverged) return;
      const double kept = std::ceil(static_cast<double>(points.size()) * stage_.keep);
      order.resize(std::min(order.size(), static_cast<size_t>(kept)));
      std::vector<Rates> next;
      for (const size_t i : order) {
        if (std::isfinite((*losses)[i])) next.push_back(points[i]);
      }
      points = std::move(next);
    }
    take(points.front());
  }

  void take(const Rates& point) {
    search_.best = point;
    for (size_t i = 0; i < point.size(); ++i) {
      if (is_at_edge(search_.rates[i], point[i]) && has_effect(search_, i)) search_.at_edge = true;
    }
  }

  const config::TuneStage& stage_;
  RateSearch& search_;

 private:
  // Coordinate steps change few of many settings, so their names tell what differs from the start.
  std::string name_of(const Rates& point) const {
    if (stage_.kind != config::SearchKind::coordinates) return rate_suffix(search_.rates, point);
    const Rates start = start_of(stage_.rates);
    std::vector<config::RateGrid> moved;
    Rates values;
    for (size_t i = 0; i < point.size(); ++i) {
      if (point[i] == start[i]) continue;
      moved.push_back(search_.rates[i]);
      values.push_back(point[i]);
    }
    return moved.empty() ? "-start" : rate_suffix(moved, values);
  }

  const TryRates& try_rates_;
};

class GridSearcher : Searcher {
 public:
  using Searcher::Searcher;

  void run() {
    while (true) {
      search_.trials.clear();  // they stand in the order of the grid, also of one that grew
      search_.best.reset();
      const std::vector<Rates> all = grid_points(search_.rates);
      if (!losses_of(all)) return;
      const std::vector<Rates> points = distinct(all, 0);
      const std::vector<double> losses = *losses_of(points);
      const auto best = std::min_element(losses.begin(), losses.end());
      search_.all_diverged = !std::isfinite(*best);
      if (search_.all_diverged) return;
      search_.best = points[static_cast<size_t>(best - losses.begin())];
      if (!extend()) return;
    }
  }

 private:
  // The grids at whose edge the best value lies. Says where one of them cannot grow.
  bool extend() {
    bool grew = false;
    search_.at_edge = false;
    const Rates& best = *search_.best;
    std::vector<size_t> at_edge;
    for (size_t i = 0; i < best.size(); ++i) {
      if (is_at_edge(search_.rates[i], best[i]) && has_effect(search_, i)) at_edge.push_back(i);
    }
    for (const size_t i : at_edge) {
      const bool low = best[i] == search_.rates[i].grid.front();
      const bool grows = extend_grid(search_.rates[i], stage_.rates[i].grid, low).has_value();
      grew = grew || grows;
      search_.at_edge = search_.at_edge || !grows;
    }
    return grew;
  }
};

class CoordinateSearcher : Searcher {
 public:
  using Searcher::Searcher;

  void run() {
    point_ = start_of(stage_.rates);
    const std::optional<double> loss = loss_of(point_, steps());
    if (!loss) return;
    loss_ = *loss;
    if (!std::isfinite(loss_) && !find_finite()) return;
    size_t unmoved = 0;  // settings in a row whose neighbours are no better
    for (size_t i = 0; unmoved < point_.size(); i = (i + 1) % point_.size()) {
      const double before = loss_;
      if (!improve(i)) return;
      unmoved = loss_ < before ? 0 : unmoved + 1;
    }
    search_.all_diverged = !std::isfinite(loss_);
    if (search_.all_diverged) return;
    stage_.rungs.empty() ? take(point_) : promote(tried());
  }

 private:
  // The length at which it walks.
  int64_t steps() const { return stage_.rungs.empty() ? 0 : stage_.rungs.front(); }

  std::vector<Rates> tried() const {
    std::vector<Rates> points;
    for (const Trial& trial : search_.trials) points.push_back(trial.rates);
    return points;
  }

  // From a start that diverges to the best value of the first setting of which any is finite. False
  // while a loss is unknown.
  bool find_finite() {
    for (size_t i = 0; i < point_.size() && !std::isfinite(loss_); ++i) {
      std::vector<std::pair<double, Rates>> finite;
      bool known = true;
      for (const double value : search_.rates[i].grid) {
        Rates point = point_;
        point[i] = value;
        const std::optional<double> loss = affordable_loss(point);
        known = known && loss;
        if (loss && std::isfinite(*loss)) finite.emplace_back(*loss, point);
      }
      if (!known) return false;
      if (!finite.empty())
        std::tie(loss_, point_) = *std::min_element(finite.begin(), finite.end());
    }
    return true;
  }

  // Moves along one setting, to the better side, as far as that helps. False while a loss is
  // unknown.
  bool improve(size_t i) {
    std::vector<bool> sides{true, false};  // low or not
    while (true) {
      std::vector<Rates> candidates;
      std::vector<std::optional<double>> losses;
      for (const bool low : sides) {
        const std::optional<double> value = neighbour(i, low);
        candidates.push_back(point_);
        if (value) candidates.back()[i] = *value;
        losses.push_back(value ? affordable_loss(candidates.back()) : kNone);
      }
      if (!std::all_of(losses.begin(), losses.end(), [](const auto& l) { return l.has_value(); }))
        return false;
      const auto best = std::min_element(losses.begin(), losses.end());
      if (!(**best < loss_)) return true;
      const auto at = static_cast<size_t>(best - losses.begin());
      loss_ = **best;
      point_ = candidates[at];
      sides = {sides[at]};
    }
  }

  // Infinite where max_runs leaves no run for it.
  std::optional<double> affordable_loss(const Rates& point) {
    if (find(point, steps(), {}) || num_runs(search_) < static_cast<size_t>(stage_.max_runs))
      return loss_of(point, steps());
    search_.out_of_runs = true;
    return kNone;
  }

  std::optional<double> neighbour(size_t i, bool low) {
    config::RateGrid& rate = search_.rates[i];
    const auto at = std::find(rate.grid.begin(), rate.grid.end(), point_[i]);
    if (low ? at != rate.grid.begin() : at + 1 != rate.grid.end()) return *(low ? at - 1 : at + 1);
    return extend_grid(rate, stage_.rates[i].grid, low);
  }

  static constexpr double kNone = std::numeric_limits<double>::infinity();
  Rates point_;
  double loss_ = 0;
};

class HalvingSearcher : Searcher {
 public:
  using Searcher::Searcher;

  void run() { promote(grid_points(search_.rates)); }
};

// The best trials of full length are repeated with more seeds, and the mean loss chooses.
class Confirmation : Searcher {
 public:
  using Searcher::Searcher;

  void run() {
    std::vector<Rates> whole;
    for (const Trial& trial : search_.trials) {
      if (trial.steps == 0 && std::isfinite(*trial.loss)) whole.push_back(trial.rates);
    }
    std::vector<Rates> finalists = distinct(whole, 0);
    std::stable_sort(finalists.begin(), finalists.end(), [&](const Rates& a, const Rates& b) {
      return *find(a, 0, {})->loss < *find(b, 0, {})->loss;
    });
    finalists.resize(std::min(finalists.size(), static_cast<size_t>(stage_.finalists)));
    search_.best.reset();
    search_.at_edge = false;
    std::vector<double> sums;
    bool known = true;
    for (const Rates& finalist : finalists) {
      sums.push_back(*find(finalist, 0, {})->loss);
      for (const int64_t seed : stage_.final_seeds) {
        const std::optional<double> loss = loss_of(finalist, 0, seed);
        known = known && loss;
        sums.back() += loss.value_or(0);
      }
    }
    if (!known) return;
    const auto best = std::min_element(sums.begin(), sums.end());
    search_.all_diverged = !std::isfinite(*best);
    if (!search_.all_diverged) take(finalists[static_cast<size_t>(best - sums.begin())]);
  }
};

}  // namespace

size_t num_runs(const RateSearch& search) {
  std::set<size_t> cells;
  for (const Trial& trial : search.trials) cells.insert(trial.cell);
  return cells.size();
}

bool is_of_first_round(const RateSearch& search, const Trial& trial) {
  return trial.steps == search.trials.front().steps && !trial.seed;
}

bool has_effect(const RateSearch& search, size_t i) {
  if (!search.best) return true;
  const auto in_place = [&](const Trial& trial) {
    Rates rates = trial.rates;
    rates[i] = (*search.best)[i];
    return rates == *search.best;
  };
  std::set<size_t> cells;
  int num_values = 0;
  for (const Trial& trial : search.trials) {
    if (!is_of_first_round(search, trial) || !in_place(trial)) continue;
    ++num_values;
    cells.insert(trial.cell);
  }
  return num_values < 2 || cells.size() > 1;
}

void run_search(const config::TuneStage& stage, RateSearch& search, const TryRates& try_rates) {
  switch (stage.kind) {
    case config::SearchKind::grid: GridSearcher(stage, search, try_rates).run(); break;
    case config::SearchKind::coordinates: CoordinateSearcher(stage, search, try_rates).run(); break;
    case config::SearchKind::halving: HalvingSearcher(stage, search, try_rates).run(); break;
  }
  if (search.best && !stage.final_seeds.empty()) Confirmation(stage, search, try_rates).run();
}

}  // namespace muonlab::study
