// The runs of a sweep, as far as they are known: the rest of a block waits for the learning rates
// that its searches have not found yet. The plan is a pure function of the sweep file and of the
// results of finished runs, so there is no state to lose.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "muonlab/config/run.hpp"
#include "muonlab/config/sweep.hpp"

namespace muonlab::study {

// What is wrong with the configurations of cells, each problem once however many cells have it.
class CellProblems {
 public:
  // More cells need not be tried: their problems would not be shown.
  bool is_full() const { return num_cells_ >= kEnoughCells; }
  // The error of a cell; `settings` are those that load_config took as swept.
  void add(const config::ConfigError& error, const std::string& cell,
           const config::Settings& settings);
  void add(config::Problem problem, const std::string& cell);
  void raise() const;  // throws ConfigError if there is any problem

 private:
  static constexpr size_t kEnoughCells = 100;
  struct Entry {
    config::Problem problem;
    std::string first_cell;
    size_t num_cells = 0;
  };
  std::vector<Entry> entries_;
  size_t num_cells_ = 0;
};

struct Cell {
  std::string name;  // of its folder below cells/: what differs, "fair-vo_ffn-s3",
                     // "tune-fair-adam-adam.lr_0.002"
  bool tuning = false;
  config::RunConfig config;  // resolved; its name is the cell's
  std::string key;           // the configuration as text, without its name: equal keys are one run
};

// Final validation loss of a cell: absent while unknown, infinite where the run diverged or its
// loss says nothing about its rates (CellStatus::loss_doubt).
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
  int64_t steps = 0;            // train.steps of a round before the full length; 0: that length
  std::optional<int64_t> seed;  // of a finalist's repetition; absent: the search's own
};
struct RateSearch {
  std::string block, row;
  bool own_rates = false;               // for this row alone, not for all rows of the block
  std::vector<config::RateGrid> rates;  // the grids with their extensions
  std::vector<Trial> trials{};
  std::optional<std::vector<double>> best{};  // once all trials are known
  bool at_edge = false;       // the best is at an edge that was not extended further
  bool out_of_runs = false;   // coordinate steps ended at max_runs
  bool all_diverged = false;  // all trials are known and none of them has a loss: no best
};

// The runs of its trials. Trials that a setting without effect makes the same run count once.
size_t num_runs(const RateSearch& search);

// Whether the trial is one of those that all have the search's own seed and the length at which it
// begins, so that their losses can be compared.
bool is_of_first_round(const RateSearch& search, const Trial& trial);

// Whether setting i of the search changes anything in its row: Muon's rate does not where nothing
// is on Muon. True where only one of its values was tried beside the best values of the others.
bool has_effect(const RateSearch& search, size_t i);

struct SweepPlan {
  std::vector<Cell> cells;  // in the order they are run, each once
  std::vector<Point> points;
  std::vector<RateSearch> searches;
  int64_t num_waiting = 0;     // points whose rates are not known yet
  double max_more_trials = 0;  // that open searches may still ask for, beyond those in cells
};

class SweepPlanner {
 public:
  // eval.windows and train.reduction of the cells, where the sweep leaves them open.
  explicit SweepPlanner(config::SweepConfig sweep,
                        config::EvalWindows windows = config::EvalWindows::spread,
                        config::Reduction reduction = config::Reduction::exact)
      : sweep_(std::move(sweep)), windows_(windows), reduction_(reduction) {}
  const config::SweepConfig& sweep() const { return sweep_; }
  // Throws config::ConfigError with everything that is wrong in the cells' configurations, each
  // problem once with its place in the sweep file and the cells that have it.
  SweepPlan plan(const LossOf& loss_of);
  // The plan with the middle of each grid in place of rates that are not known yet, to estimate
  // from.
  SweepPlan outline(const LossOf& loss_of);

 private:
  struct Block;
  struct Request;
  SweepPlan build(const LossOf& loss_of, bool guess);
  void add_points(SweepPlan& plan, const std::vector<Block>& blocks,
                  const std::vector<Block>& rows);
  // A cell without a name, as the settings make it; null where they make no configuration. The name
  // is for the message.
  const Cell* configured(const config::Settings& settings, const std::string& name);
  void check_rungs(const config::TuneStage& stage, const std::string& row,
                   const config::Settings& settings);
  // The index of the cell in the plan; absent where its settings make no configuration.
  std::optional<size_t> add_cell(SweepPlan& plan, Request request);
  // The settings of the block's rates as far as the searches found them; rows that wait for a
  // search are noted in it.
  void search(SweepPlan& plan, Block& block, const LossOf& loss_of, bool guess);
  // One search of a stage; what it found, or a guess.
  std::optional<config::Settings> search_row(SweepPlan& plan, const Block& block,
                                             const config::TuneStage& stage, const std::string& row,
                                             const LossOf& loss_of, bool guess);

  config::SweepConfig sweep_;
  config::EvalWindows windows_;
  config::Reduction reduction_;
  std::map<std::string, Cell> cache_;           // by settings
  std::map<std::string, size_t> index_by_key_;  // of the plan being built
  std::set<std::string> names_;                 // of its cells
  CellProblems problems_;                       // of the plan being built
};

}  // namespace muonlab::study
