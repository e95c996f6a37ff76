// Which runs a sweep consists of, as far as it is known: the rates that a search has not found yet
// hold back the rest of their block. A pure function of the sweep file and of what the finished
// runs gave, so there is no state to lose.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/config/run.hpp"
#include "muonlab/config/sweep.hpp"

namespace muonlab::study {

struct Cell {
  std::string name;  // of its folder below cells/: what differs, "fair-vo_ffn-s3",
                     // "tune-fair-adam-adam.lr_0.002"
  bool tuning = false;
  config::RunConfig config;  // resolved; its name is the cell's
  std::string key;           // the configuration as text, without its name: equal keys are one run
};

// Final validation loss of a cell: absent while unknown, infinite where the run diverged.
using LossOf = std::function<std::optional<double>(const Cell&)>;

// A place in the grid, filled by a cell.
struct Point {
  std::string block;  // values of all axes but the compared one, "fair" or "fair 64"; empty without
                      // such axes
  std::string row;    // value of the compared axis; of all axes where nothing is compared
  int64_t seed = 1;
  size_t cell = 0;  // index into SweepPlan::cells
};

struct Trial {
  std::vector<double> rates;  // one a RateGrid
  size_t cell = 0;
  std::optional<double> loss;
};
struct RateSearch {
  std::string block, row;
  std::vector<config::RateGrid> rates;  // the grids with their extensions
  std::vector<Trial> trials;
  std::optional<std::vector<double>> best;  // once all trials are known
  bool at_edge = false;                     // the best is at an edge that was not extended further
};

struct SweepPlan {
  std::vector<Cell> cells;  // in the order they are run, each once
  std::vector<Point> points;
  std::vector<RateSearch> searches;
  int64_t num_waiting = 0;  // points whose rates are not known yet
};

class SweepPlanner {
 public:
  explicit SweepPlanner(config::SweepConfig sweep) : sweep_(std::move(sweep)) {}
  const config::SweepConfig& sweep() const { return sweep_; }
  // Throws config::ConfigError for a point whose settings make no valid configuration, with the
  // point's name.
  SweepPlan plan(const LossOf& loss_of);
  // The plan with the middle of each grid in place of rates that are not known yet, to estimate
  // from.
  SweepPlan outline(const LossOf& loss_of);

 private:
  struct Block;
  SweepPlan build(const LossOf& loss_of, bool guess);
  size_t add_cell(SweepPlan& plan, const std::string& name, config::Settings settings, int64_t seed,
                  bool tuning);
  // The settings of the block's rates as far as the searches found them; false when one is open.
  bool search(SweepPlan& plan, Block& block, const LossOf& loss_of, bool guess);

  config::SweepConfig sweep_;
  std::map<std::string, Cell> cache_;           // by settings
  std::map<std::string, size_t> index_by_key_;  // of the plan being built
};

}  // namespace muonlab::study
