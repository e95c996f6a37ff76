#include "queue.hpp"

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

#include "muonlab/base/file.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::study {
namespace {

constexpr size_t kShownChanges = 3;

std::optional<double> known_loss(const CellStatus& status) {
  if (status.state == CellState::finished) return status.val_loss;
  if (status.state == CellState::diverged) return std::numeric_limits<double>::infinity();
  return std::nullopt;
}

}  // namespace

SweepQueue::Seen& SweepQueue::look(const Cell& cell) {
  const auto found = seen_.find(cell.name);
  if (found != seen_.end()) return found->second;
  Seen seen{cell_status(folder_, cell.name), cell_changes(folder_, cell)};
  if (!seen.changes.empty()) settle(cell, seen);
  return seen_.emplace(cell.name, std::move(seen)).first->second;
}

// Another run is in the cell's folder: said once, and out of the way if that was asked for.
void SweepQueue::settle(const Cell& cell, Seen& seen) {
  seen.status = {};
  if (!redo_changed_) {
    const std::span<const std::string> shown(seen.changes.data(),
                                             std::min(seen.changes.size(), kShownChanges));
    base::print_line(base::str("changed  ", cell.name, ": ", base::join(shown, ", "),
                               shown.size() < seen.changes.size() ? ", …" : ""));
    return;
  }
  base::FileSystem& files = base::real_file_system();
  const std::string from = folder_.cell(cell.name);
  std::string to;
  for (int number = 1; to.empty() || files.exists(to); ++number)
    to = base::str(from, ".old-", number);
  files.rename(from, to);
  base::print_line(base::str("changed  ", cell.name, ": its earlier run is now ", to));
  seen.changes.clear();
}

bool SweepQueue::refresh() {
  const size_t cells = plan_.cells.size();
  const int64_t waiting = plan_.num_waiting;
  plan_ = planner_.plan([this](const Cell& cell) { return known_loss(look(cell).status); });
  find_waiting();
  return plan_.cells.size() != cells || plan_.num_waiting != waiting;
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
  return planner_.outline([this](const Cell& cell) { return known_loss(look(cell).status); });
}

bool SweepQueue::is_planned(const Cell& cell) const {
  const std::vector<Cell>& cells = plan_.cells;
  return std::any_of(cells.begin(), cells.end(),
                     [&](const Cell& c) { return c.name == cell.name && c.key == cell.key; });
}

std::optional<Cell> SweepQueue::next() {
  for (const Cell& cell : plan_.cells) {
    if (started_.contains(cell.name) || !is_wanted(cell)) continue;
    Seen& seen = look(cell);
    // A process that an interrupted sweep left is about to save and leave.
    if (seen.status.state == CellState::running) seen.status = cell_status(folder_, cell.name);
    const CellState state = seen.status.state;
    if (seen.changes.empty() && (state == CellState::queued || state == CellState::failed))
      return cell;
  }
  return std::nullopt;
}

CellStatus SweepQueue::ended(const Cell& cell, int exit_code) {
  base::FileSystem& files = base::real_file_system();
  const std::string failure = folder_.failure(cell.name);
  if (exit_code == 0) {
    if (files.exists(failure)) files.remove_file(failure);
  } else {
    base::write_atomically(failure, nlohmann::json{{"exit_code", exit_code}}.dump() + "\n");
  }
  CellStatus status = cell_status(folder_, cell.name);
  // The process is gone, but what is there does not say that the run is complete.
  if (status.state != CellState::finished && status.state != CellState::diverged)
    status.state = CellState::failed;
  seen_[cell.name] = {status, {}};
  return status;
}

}  // namespace muonlab::study
