// Cells and what is known of them: which are finished, which can be started, what comes next.
//
// Any number of sweeps may work on one folder at once. Each cell is claimed by a lock before it is
// started (SweepFolder::claim), so no two sweeps take the same one. The system gives the lock back
// when its holder ends, however it ends, and another sweep then takes the cell.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "muonlab/base/lock.hpp"
#include "muonlab/study/sweep/plan.hpp"
#include "muonlab/study/sweep/sweep.hpp"

namespace muonlab::study {

class SweepQueue {
 public:
  // only: glob on the names of cells, empty for all; the searches of rates that such cells wait for
  // are wanted with them. redo_changed: the run of a cell whose settings changed is moved aside
  // when it comes up; else it stays and is left out.
  SweepQueue(SweepPlanner planner, SweepFolder folder, std::string only, bool redo_changed)
      : planner_(std::move(planner)),
        folder_(std::move(folder)),
        only_(std::move(only)),
        redo_changed_(redo_changed) {}

  const SweepFolder& folder() const { return folder_; }
  const SweepPlan& plan() const { return plan_; }
  const config::SweepConfig& sweep() const { return planner_.sweep(); }

  // Plans anew from what is known; true when that added cells or found rates. Looks into a cell's
  // folder the first time.
  bool refresh();
  // The same with the middle of each grid where a rate is open, to estimate from; changes nothing
  // here. A cell of it that is not planned yet has rates that were only guessed, so its folder says
  // nothing of it.
  SweepPlan outline();
  bool is_planned(const Cell& cell) const;
  bool is_wanted(const Cell& cell) const;
  // Wanted points whose rates are not known yet.
  int64_t num_waiting() const { return num_waiting_; }

  // The next wanted cell that may be started, in order, claimed for this process until it has
  // ended; absent when none. Cells of another process are passed over.
  std::optional<Cell> next();
  // Looks again at the cells that this process does not train: another one may have finished them,
  // failed, or left them. True where one of them has ended, so that the plan may hold more.
  bool look_around();
  void started(const Cell& cell) { started_.insert(cell.name); }
  // It has saved and left its cell, which any sweep may resume.
  void stopped(const Cell& cell) { release(cell); }
  // A process ended: reads how far the cell is. An `exit_code` that tells of a failure is
  // remembered with the folder. A cell that another process had (exit_code::kInUse) is running, and
  // may be started once that one has ended.
  CellStatus ended(const Cell& cell, int exit_code);

  const CellStatus& status(const Cell& cell) { return known(cell).status; }
  // Not empty: the cell's folder holds a run with other settings, which stays as it is.
  const std::vector<std::string>& changes(const Cell& cell) { return known(cell).changes; }

 private:
  struct Known {
    CellStatus status;
    std::vector<std::string> changes;
    std::string failure;    // its record at the first look: such a cell is tried once more
    bool given_up = false;  // it failed since, in another process
  };
  // Reads the cell's folder the first time.
  Known& known(const Cell& cell);
  // Reads it again.
  void look_at(const Cell& cell, Known& known);
  bool claim(const Cell& cell);
  void release(const Cell& cell);
  void find_waiting();
  void report_or_move_aside(const Cell& cell, Known& known);
  void move_aside(const Cell& cell, Known& known);

  SweepPlanner planner_;
  SweepFolder folder_;
  std::string only_;
  bool redo_changed_;
  SweepPlan plan_;
  int64_t num_waiting_ = 0;
  std::set<std::string> needed_;        // cells of searches that cells matching only_ wait for
  std::map<std::string, Known> known_;  // by name
  std::map<std::string, std::string> planned_;  // key of a planned cell by its name
  std::set<std::string> started_;               // by this process, ended or not
  std::map<std::string, std::unique_ptr<base::FileLock>> claims_;  // of cells it trains
  bool others_ended_ = false;  // a cell, since look_around() told
};

}  // namespace muonlab::study
