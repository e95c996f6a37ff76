#include "queue.hpp"

#include <unistd.h>

#include <algorithm>
#include <span>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "muonlab/base/exit_code.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/lock.hpp"
#include "muonlab/base/process.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/record/run_folder.hpp"

namespace muonlab::study {
namespace {

constexpr size_t kShownChanges = 3;
constexpr size_t kLongestLine = 400;  // a setting may be a long list

// The record of a cell's failure; empty where there is none.
std::string failure_text(const SweepFolder& folder, const std::string& cell) {
  const std::string path = folder.failure(cell);
  return base::real_file_system().exists(path) ? base::read_text(path) : "";
}

// Names the process as well, so that two failures of one cell are told apart.
std::string failure_record(int exit_code) {
  const nlohmann::ordered_json record{
      {"exit_code", exit_code}, {"host", base::host_name()}, {"process", ::getpid()}};
  return record.dump() + "\n";
}

}  // namespace

SweepQueue::Known& SweepQueue::known(const Cell& cell) {
  const auto found = known_.find(cell.name);
  if (found != known_.end()) return found->second;
  Known known{cell_status(folder_, cell.name), cell_changes(folder_, cell),
              failure_text(folder_, cell.name)};
  if (!known.changes.empty()) report_or_move_aside(cell, known);
  return known_.emplace(cell.name, std::move(known)).first->second;
}

// Another run is in the cell's folder: said once, and out of the way if that was asked for.
void SweepQueue::report_or_move_aside(const Cell& cell, Known& known) {
  known.status = {};
  if (redo_changed_) return move_aside(cell, known);
  const std::span<const std::string> shown(known.changes.data(),
                                           std::min(known.changes.size(), kShownChanges));
  base::print_line(base::clip_text(base::str("changed  ", cell.name, ": ", base::join(shown, ", "),
                                             shown.size() < known.changes.size() ? ", …" : ""),
                                   kLongestLine));
}

// Not under a process that still trains the run: holding its lock says that there is none.
void SweepQueue::move_aside(const Cell& cell, Known& known) {
  base::FileSystem& files = base::real_file_system();
  const std::string from = folder_.cell(cell.name);
  std::string to;
  for (int number = 1; to.empty() || files.exists(to); ++number)
    to = base::str(from, ".old-", number);
  try {
    const base::FileLock lock(record::RunFolder(from).lock(), "the run " + from);
    files.rename(from, to);
  } catch (const base::InUse& error) {
    base::print_line(base::str("changed  ", cell.name, ": not moved aside, since ", error.what()));
    return;
  }
  base::print_line(base::str("changed  ", cell.name, ": its earlier run is now ", to));
  known.changes.clear();
}

bool SweepQueue::refresh() {
  const auto state = [this] {
    const auto is_decided = [](const RateSearch& s) { return s.best || s.all_diverged; };
    return std::tuple(plan_.cells.size(), plan_.num_waiting,
                      std::count_if(plan_.searches.begin(), plan_.searches.end(), is_decided));
  };
  const auto before = state();
  plan_ = planner_.plan([this](const Cell& cell) { return loss_for_search(known(cell).status); });
  planned_.clear();
  for (const Cell& cell : plan_.cells) planned_[cell.name] = cell.key;
  find_waiting();
  return state() != before;
}

void SweepQueue::find_waiting() {
  needed_.clear();
  num_waiting_ = plan_.num_waiting;
  if (only_.empty() || plan_.num_waiting == 0) return;
  num_waiting_ = 0;
  const SweepPlan whole = outline();
  std::set<std::string> blocks;
  for (const Point& point : whole.points) {
    const Cell& cell = whole.cells[point.cell];
    if (is_planned(cell) || !base::glob_match(only_, cell.name)) continue;
    ++num_waiting_;
    blocks.insert(point.block);
  }
  for (const RateSearch& search : whole.searches) {
    if (!blocks.contains(search.block)) continue;
    for (const Trial& trial : search.trials) needed_.insert(whole.cells[trial.cell].name);
  }
}

bool SweepQueue::is_wanted(const Cell& cell) const {
  return only_.empty() || base::glob_match(only_, cell.name) || needed_.contains(cell.name);
}

SweepPlan SweepQueue::outline() {
  return planner_.outline([this](const Cell& cell) -> std::optional<double> {
    if (!is_planned(cell)) return std::nullopt;
    return loss_for_search(known(cell).status);
  });
}

bool SweepQueue::is_planned(const Cell& cell) const {
  const auto found = planned_.find(cell.name);
  return found != planned_.end() && found->second == cell.key;
}

void SweepQueue::look_at(const Cell& cell, Known& known) {
  known.status = cell_status(folder_, cell.name);
  CellState& state = known.status.state;
  const bool is_open = state == CellState::queued || state == CellState::failed;
  if (is_open && !claims_.contains(cell.name) && base::FileLock::is_held(folder_.claim(cell.name)))
    state = CellState::running;
  if (state == CellState::failed)
    known.given_up = failure_text(folder_, cell.name) != known.failure;
}

bool SweepQueue::claim(const Cell& cell) {
  try {
    claims_.emplace(cell.name, std::make_unique<base::FileLock>(folder_.claim(cell.name),
                                                                "the cell " + cell.name));
    return true;
  } catch (const base::InUse&) {
    return false;
  }
}

void SweepQueue::release(const Cell& cell) {
  // Removed first: whoever opened it meanwhile sees that it is gone and makes another.
  base::FileSystem& files = base::real_file_system();
  if (const std::string path = folder_.claim(cell.name);
      claims_.contains(cell.name) && files.exists(path))
    files.remove_file(path);
  claims_.erase(cell.name);
}

std::optional<Cell> SweepQueue::next() {
  const auto may_start = [](const Known& known) {
    const CellState state = known.status.state;
    return known.changes.empty() && !known.given_up &&
           (state == CellState::queued || state == CellState::failed);
  };
  for (const Cell& cell : plan_.cells) {
    if (started_.contains(cell.name) || !is_wanted(cell)) continue;
    Known& now = known(cell);
    if (!may_start(now)) continue;
    if (!claim(cell)) {
      now.status.state = CellState::running;
      continue;
    }
    // Another sweep may have trained it since this one looked.
    look_at(cell, now);
    if (may_start(now)) return cell;
    release(cell);
    others_ended_ = true;
  }
  return std::nullopt;
}

bool SweepQueue::look_around() {
  bool ended = std::exchange(others_ended_, false);
  for (const Cell& cell : plan_.cells) {
    if (started_.contains(cell.name) || !is_wanted(cell)) continue;
    Known& now = known(cell);
    if (has_ended(now.status.state) || now.given_up || !now.changes.empty()) continue;
    look_at(cell, now);
    ended |= has_ended(now.status.state);
  }
  return ended;
}

CellStatus SweepQueue::ended(const Cell& cell, int exit_code) {
  base::FileSystem& files = base::real_file_system();
  const std::string failure = folder_.failure(cell.name);
  if (exit_code == base::exit_code::kInUse) {
    release(cell);
    started_.erase(cell.name);
    CellStatus& status = known(cell).status;
    status.state = CellState::running;
    return status;
  }
  if (exit_code == 0) {
    if (files.exists(failure)) files.remove_file(failure);
  } else {
    base::write_atomically(failure, failure_record(exit_code));
  }
  release(cell);
  CellStatus status = cell_status(folder_, cell.name);
  // The process is gone, but what is there does not say that the run is complete.
  if (!has_ended(status.state)) status.state = CellState::failed;
  known_[cell.name] = {status, {}, {}};
  return status;
}

}  // namespace muonlab::study
