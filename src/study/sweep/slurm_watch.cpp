#include <algorithm>

#include "display.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/process.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/text.hpp"
#include "outlook.hpp"
#include "slurm.hpp"

namespace muonlab::study {
namespace {

using base::print_line;

constexpr double kWatch_s = 2;
constexpr double kAsk_s = 10;  // between questions to Slurm, whose controller serves many users
constexpr double kPlainLine_s = 60;
constexpr size_t kPlainColumns = 160;

// What the folder says of the cells, as a sweep shows its own.
SweepProgress progress_of(SweepQueue& queue) {
  SweepProgress progress;
  for (const Cell& cell : queue.plan().cells) {
    if (!queue.is_wanted(cell)) continue;
    const CellStatus& status = queue.status(cell);
    switch (status.state) {
      case CellState::finished:
      case CellState::diverged: ++progress.done; break;
      case CellState::failed: ++progress.failed; break;
      case CellState::queued: ++progress.queued; break;
      case CellState::running: progress.running.push_back({cell.name, status}); break;
    }
  }
  progress.waiting = queue.num_waiting();
  return progress;
}

// Grows whenever a cell was trained further.
int64_t steps_done(SweepQueue& queue) {
  int64_t steps = 0;
  for (const Cell& cell : queue.plan().cells) steps += queue.status(cell).step;
  return steps;
}

// False when a signal came.
bool watch(SweepQueue& queue, SlurmSweep& slurm) {
  base::LiveLine live(1, kPlainLine_s);
  SlurmState state = slurm.state();
  double asked_s = base::monotonic_seconds();
  while (state.pending + state.running > 0) {
    if (base::stop_requested() != 0) {
      live.clear();
      print_line(base::str("The tasks continue in Slurm. `", slurm.cancel_command(),
                           "` stops them; the same command shows their progress again."));
      return false;
    }
    if (queue.look_around()) plan_again(queue);
    if (base::monotonic_seconds() - asked_s > kAsk_s) {
      state = slurm.state();
      asked_s = base::monotonic_seconds();
    }
    const std::string tail = base::str("   Slurm: ", state.running, " running, ", state.pending,
                                       " pending (", slurm.job_names(), ")");
    const size_t width =
        live.on_terminal() ? static_cast<size_t>(base::terminal_width(1)) : kPlainColumns;
    const size_t left = width > tail.size() ? width - tail.size() : 1;
    live.update(base::clip_text(progress_line(progress_of(queue), left) + tail, width));
    base::wait_for_child(kWatch_s);
  }
  live.clear();
  queue.look_around();
  plan_again(queue);
  return true;
}

}  // namespace

bool run_on_slurm(SweepQueue& queue, const SweepRequest& request) {
  SlurmSweep slurm(queue, request);
  if (slurm.attach()) {
    print_line(base::str("slurm    ", slurm.job_names(),
                         " of an earlier submission still in the queue; nothing new is submitted"));
    if (!watch(queue, slurm)) return false;
  }
  // Again for cells that a time limit cut short and for those whose rates decided that they are
  // runs of their own; no more where a whole submission trained nothing.
  for (int64_t before = -1; steps_done(queue) > before;) {
    before = steps_done(queue);
    for (const std::string& line : slurm.describe()) print_line("slurm    " + line);
    if (!slurm.submit()) break;
    print_line("slurm    submitted " + slurm.job_names());
    if (!watch(queue, slurm)) return false;
  }
  return true;
}

}  // namespace muonlab::study
