#include "muonlab/study/sweep_run.hpp"

#include <algorithm>
#include <set>

#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/lock.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/study/ablation_table.hpp"
#include "muonlab/study/report_page.hpp"
#include "muonlab/study/sweep_answer.hpp"
#include "sweep_outlook.hpp"
#include "sweep_queue.hpp"
#include "sweep_runner.hpp"

namespace muonlab::study {
namespace {

using base::print_line;

SweepFolder folder_of(const SweepRequest& request, const config::SweepConfig& sweep) {
  std::string path = request.out.empty() ? "runs/" + sweep.name : request.out;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return SweepFolder(path);
}

int threads_of(const Cell& cell) { return static_cast<int>(cell.config.threads.value_or(base::usable_processors())); }

int jobs_of(const SweepRequest& request, const SweepPlan& plan) {
  if (request.jobs > 0 || plan.cells.empty()) return std::max(1, request.jobs);
  int threads = 1;
  for (const Cell& cell : plan.cells) threads = std::max(threads, threads_of(cell));
  return std::max(1, base::usable_processors() / threads);
}

void check_resources(const Outlook& outlook, const SweepFolder& folder, int jobs) {
  const uint64_t memory = base::usable_memory_bytes();
  if (outlook.memory_bytes > memory) {
    throw base::Error("memory: ", jobs, jobs == 1 ? " run takes" : " runs at once take", " about ",
                      base::human_bytes(outlook.memory_bytes), ", this machine has ", base::human_bytes(memory),
                      jobs > 1 ? "; lower --jobs" : "; lower train.micro_batch or the model's size");
  }
  const uint64_t free = base::real_file_system().free_space(folder.path());
  if (outlook.disk_bytes > free) {
    throw base::Error(folder.path(), ": the sweep takes about ", base::human_bytes(outlook.disk_bytes), ", the disk has ",
                      base::human_bytes(free), " left; make room, or name another folder with --out");
  }
}

// What became of the old run of a changed cell.
void move_aside(SweepQueue& queue, const Cell& cell) {
  base::FileSystem& files = base::real_file_system();
  const std::string from = queue.folder().cell(cell.name);
  std::string to;
  for (int number = 1; to.empty() || files.exists(to); ++number) to = base::str(from, ".old-", number);
  files.rename(from, to);
  print_line(base::str("changed  ", cell.name, ": its earlier run is now ", to));
  queue.forget(cell);
}

// Cells whose folders hold runs of other settings: said, and redone if asked for. True when some are left.
bool settle_changes(SweepQueue& queue, bool redo) {
  bool left = false;
  const std::vector<Cell> cells = queue.plan().cells;
  for (const Cell& cell : cells) {
    const std::vector<std::string> changes = queue.changes(cell);
    if (changes.empty()) continue;
    if (redo) {
      move_aside(queue, cell);
      continue;
    }
    left = true;
    constexpr size_t kShown = 3;
    const std::span<const std::string> shown(changes.data(), std::min(changes.size(), kShown));
    print_line(base::str("changed  ", cell.name, ": ", base::join(shown, ", "), changes.size() > kShown ? ", …" : ""));
  }
  if (left) {
    print_line("These cells hold finished or begun runs of other settings and are left out. --redo-changed moves those runs "
               "aside and runs the cells again; --out starts a new sweep.");
  }
  return left;
}

// The cells by state, for --dry-run.
void print_cells(SweepQueue& queue, const SweepPlan& plan, const std::string& only) {
  for (const Cell& cell : plan.cells) {
    if (!only.empty() && !base::glob_match(only, cell.name)) continue;
    const CellStatus status = queue.status(cell);
    std::string state = "to do";
    if (!queue.changes(cell).empty()) {
      state = "changed";
    } else if (status.state == CellState::finished) {
      state = base::str("finished, validation loss ", base::fixed(*status.val_loss, 4));
    } else if (status.state == CellState::diverged) {
      state = "diverged";
    } else if (status.step > 0) {
      state = base::str("goes on from step ", status.step, " or its last checkpoint before");
    }
    print_line(base::str("  ", base::pad_right(cell.name, 44), "  ", state));
  }
}

// The table and the page, from what is finished. Without a comparison there is only the page.
void print_answer(const SweepQueue& queue) {
  const std::string& path = queue.folder().path();
  std::string table = ablation_table(sweep_answers(read_sweep(path)), static_cast<size_t>(base::terminal_width(1)));
  while (table.ends_with('\n')) table.pop_back();
  if (!table.empty()) print_line("\n" + table + "\n");
  print_line("page: " + write_report(collect_report({path}), path).page);
}

SweepOutcome conclude(SweepQueue& queue, bool changes_left) {
  int64_t failed = 0, left_out = 0;
  for (const Cell& cell : queue.plan().cells) {
    const CellState state = queue.status(cell).state;
    failed += state == CellState::failed;
    left_out += state == CellState::queued;
  }
  if (failed > 0) print_line(base::str(failed, failed == 1 ? " cell" : " cells", " failed; the same command tries again."));
  print_answer(queue);
  const bool complete = failed == 0 && left_out == 0 && !changes_left && queue.plan().num_waiting == 0;
  return complete ? SweepOutcome::finished : SweepOutcome::incomplete;
}

}  // namespace

SweepOutcome run_sweep(const SweepRequest& request) {
  SweepPlanner planner(config::load_sweep(request.file));
  const SweepFolder folder = folder_of(request, planner.sweep());
  SweepQueue queue(std::move(planner), folder);
  queue.refresh();
  const int jobs = jobs_of(request, queue.plan());
  const Outlook outlook = look_ahead(queue, request.only, jobs, request.dry_run);
  if (outlook.num_runs + outlook.num_finished == 0) {
    throw base::Error(request.file, ": no cell matches --only ", request.only, "; --dry-run lists the cells");
  }
  print_line(outlook_text(outlook, queue, jobs));
  if (request.dry_run) {
    print_cells(queue, queue.outline(), request.only);
    print_line("Nothing was started (--dry-run).");
    return SweepOutcome::finished;
  }
  check_resources(outlook, folder, jobs);

  base::install_signal_handlers();
  for (const std::string& path : {folder.configs(), folder.cells(), folder.outputs(), folder.failures()}) {
    base::make_directories(path);
  }
  const base::FileLock lock(folder.lock(), "the sweep " + folder.path());
  const bool changes_left = settle_changes(queue, request.redo_changed);
  write_sweep_record(folder, queue.sweep(), queue.plan());
  if (!SweepRunner(queue, request.only, jobs).run()) {
    print_line(base::str(base::signal_name(base::stop_requested()), "  the running cells are saved. Go on with the same command."));
    return SweepOutcome::interrupted;
  }
  return conclude(queue, changes_left);
}

}  // namespace muonlab::study
