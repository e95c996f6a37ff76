// A sweep's folder: what is planned and how far every cell is.
//
// clang-format off
//   runs/NAME/sweep.json    the sweep file as given
//             plan.json     cells, points of the grid and searches of rates, as far as they are known
//             configs/      a resolved configuration a cell: `muonlab train` takes it
//             cells/        an ordinary run's folder a cell
//             output/       what each cell's process printed
//             failures/     a cell's exit code, while its last process ended in an error
//             claims/       a lock a cell, held by the sweep that trains it
// clang-format on
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/config/sweep.hpp"
#include "muonlab/record/loss_doubt.hpp"
#include "muonlab/study/sweep/plan.hpp"

namespace muonlab::study {

class SweepFolder {
 public:
  explicit SweepFolder(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string sweep() const { return path_ + "/sweep.json"; }
  std::string plan() const { return path_ + "/plan.json"; }
  std::string lock() const { return path_ + "/.lock"; }
  std::string configs() const { return path_ + "/configs"; }
  std::string cells() const { return path_ + "/cells"; }
  std::string outputs() const { return path_ + "/output"; }
  std::string failures() const { return path_ + "/failures"; }
  std::string claims() const { return path_ + "/claims"; }
  std::string config(const std::string& cell) const { return configs() + "/" + cell + ".json"; }
  std::string cell(const std::string& cell) const { return cells() + "/" + cell; }
  std::string output(const std::string& cell) const { return outputs() + "/" + cell + ".txt"; }
  std::string failure(const std::string& cell) const { return failures() + "/" + cell + ".json"; }
  std::string claim(const std::string& cell) const { return claims() + "/" + cell + ".lock"; }

 private:
  std::string path_;
};

enum class CellState { queued, running, finished, diverged, failed };
// No step of the cell is left to train.
inline bool has_ended(CellState state) {
  return state == CellState::finished || state == CellState::diverged;
}

struct CellStatus {
  CellState state = CellState::queued;
  int64_t step = 0, steps = 0;     // steps: 0 until the run has planned them
  std::optional<double> loss;      // of the newest step
  std::optional<double> val_loss;  // of the newest validation: the final one of a finished cell
  record::LossDoubt doubt = record::LossDoubt::none;  // about val_loss of a finished cell
};
// How far the run in a cell's folder is. Reads little: the plan, and the end of metrics.jsonl.
CellStatus cell_status(const SweepFolder& folder, const std::string& cell);
// What a search of rates takes as the cell's loss: absent while unknown, infinite where the run
// diverged or its loss is in doubt.
std::optional<double> loss_for_search(const CellStatus& status);

// The windows on which all cells validate where the sweep leaves eval.windows open: a sweep that
// was begun before there was a choice continues with the first ones.
config::EvalWindows windows_of(const SweepFolder& folder);
// The same for the order in which cells that accumulate sum their gradients (train.reduction).
config::Reduction reduction_of(const SweepFolder& folder);

// The settings in which a cell's folder differs from what the cell is now, as "path before ->
// after"; those that leave the numbers alone do not count, nor does another place of the same data.
// Empty where there is no such folder yet.
std::vector<std::string> cell_changes(const SweepFolder& folder, const Cell& cell);

// What a sweep gave so far, read from its folder.
struct CellResult {
  std::string name, path;  // path: of the run's folder
  bool tuning = false;
  CellStatus status;
};
struct SweepResult {
  std::string path, command;
  config::SweepConfig config;
  std::vector<CellResult> cells;
  std::vector<Point> points;
  std::vector<RateSearch> searches;
  int64_t num_waiting = 0;
};
bool is_sweep_folder(const std::string& path);
// The sweeps directly in a folder, by name; none where there is no such folder.
std::vector<std::string> sweeps_in(const std::string& folder);
// Throws base::Error: no sweep there, or one whose plan.json is damaged (the sweep's command writes
// it anew).
SweepResult read_sweep(const std::string& path);
// plan.json and sweep.json.
void write_sweep_record(const SweepFolder& folder, const config::SweepConfig& sweep,
                        const SweepPlan& plan);

}  // namespace muonlab::study
