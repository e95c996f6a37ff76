#include "muonlab/study/sweep/run.hpp"

#include <algorithm>
#include <optional>

#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/foreign.hpp"
#include "muonlab/base/held_folder.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/study/ablation/table.hpp"
#include "muonlab/study/report/page.hpp"
#include "muonlab/study/sweep/answer.hpp"
#include "outlook.hpp"
#include "queue.hpp"
#include "runner.hpp"
#include "study/report/tail_answer.hpp"

namespace muonlab::study {
namespace {

using base::print_line;

SweepFolder folder_of(const SweepRequest& request, const config::SweepConfig& sweep) {
  std::string path = request.out.empty() ? "runs/" + sweep.name : request.out;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return SweepFolder(path);
}

int threads_of(const Cell& cell) {
  return static_cast<int>(cell.config.threads.value_or(base::usable_processors()));
}

int jobs_of(const SweepRequest& request, const SweepPlan& plan) {
  if (request.jobs > 0 || plan.cells.empty()) return std::max(1, request.jobs);
  int threads = 1;
  for (const Cell& cell : plan.cells) threads = std::max(threads, threads_of(cell));
  return std::max(1, base::usable_processors() / threads);
}

void check_resources(const Outlook& outlook, const SweepFolder& folder, int jobs) {
  const uint64_t memory = base::usable_memory_bytes();
  if (outlook.memory_bytes > memory) {
    throw base::Error(
        "memory: ", jobs, jobs == 1 ? " run takes" : " runs at once take", " about ",
        base::human_bytes(outlook.memory_bytes), ", this machine has ", base::human_bytes(memory),
        jobs > 1 ? "; lower --jobs" : "; lower train.micro_batch or the model's size");
  }
  const uint64_t free = base::real_file_system().free_space(folder.path());
  if (outlook.disk_bytes > free) {
    throw base::Error(folder.path(), ": the sweep takes about ",
                      base::human_bytes(outlook.disk_bytes), ", the disk has ",
                      base::human_bytes(free),
                      " left; make room, or name another folder with --out");
  }
}

// The cells by state, for --dry-run.
void print_cells(SweepQueue& queue) {
  const SweepPlan plan = queue.outline();
  for (const Cell& cell : plan.cells) {
    if (!queue.is_wanted(cell)) continue;
    if (!queue.is_planned(cell)) {
      print_line(base::str("  ", base::pad_right(cell.name, 44), "  waits for rates"));
      continue;
    }
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
void print_answer(SweepQueue& queue) {
  const std::string& path = queue.folder().path();
  const std::vector<Cell>& cells = queue.plan().cells;
  const auto begun = [&](const Cell& cell) {
    return base::real_file_system().exists(queue.folder().cell(cell.name) + "/resolved.json");
  };
  if (std::none_of(cells.begin(), cells.end(), begun)) return;
  const ReportData data = collect_report({path});
  const auto width = static_cast<size_t>(base::terminal_width(1));
  std::string table = ablation_table(sweep_answers(data.sweeps.front()), width);
  if (const std::string rarest = rarest_text(data, width); !rarest.empty()) table += "\n" + rarest;
  while (table.ends_with('\n')) table.pop_back();
  if (!table.empty()) print_line("\n" + table + "\n");
  print_line("page: " + write_report(data, path).page);
}

SweepOutcome conclude(SweepQueue& queue) {
  int64_t failed = 0, left_out = 0, changed = 0;
  for (const Cell& cell : queue.plan().cells) {
    const CellState state = queue.status(cell).state;
    failed += state == CellState::failed;
    changed += !queue.changes(cell).empty();
    left_out += state == CellState::queued;
  }
  if (failed > 0)
    print_line(base::str(failed, failed == 1 ? " cell" : " cells",
                         " failed; the same command tries again."));
  if (changed > 0) {
    print_line(base::str(changed, changed == 1 ? " cell holds a run" : " cells hold runs",
                         " of other settings (above) and was left out. --redo-changed moves such "
                         "runs aside and runs the "
                         "cells again; --out starts a new sweep."));
  }
  print_answer(queue);
  const bool complete =
      failed == 0 && left_out == 0 && changed == 0 && queue.plan().num_waiting == 0;
  return complete ? SweepOutcome::finished : SweepOutcome::incomplete;
}

// Takes the sweep's folder for this process and makes the folders in it.
std::unique_ptr<base::HeldFolder> hold(const SweepFolder& folder) {
  const std::vector<std::string> inside{folder.configs(), folder.cells(), folder.outputs(),
                                        folder.failures()};
  std::vector<std::string> known{base::base_name(folder.lock())};
  for (const std::string& path : inside) known.push_back(base::base_name(path));
  base::refuse_foreign_folder(folder.path(), base::base_name(folder.sweep()), known,
                              "Name a new folder with --out");
  base::make_directories(folder.path());
  auto held = std::make_unique<base::HeldFolder>(folder.path(), base::base_name(folder.lock()),
                                                 "the sweep " + folder.path());
  for (const std::string& path : inside) base::make_directories(path, held->files());
  base::remove_temporaries(folder.path(), held->files());
  return held;
}

}  // namespace

SweepOutcome run_sweep(const SweepRequest& request) {
  SweepPlanner planner(config::load_sweep(request.file));
  const SweepFolder folder = folder_of(request, planner.sweep());
  // all cells are valid before anything is made
  planner.outline([](const Cell&) { return std::optional<double>(); });
  SweepQueue queue(std::move(planner), folder, request.only,
                   request.redo_changed && !request.dry_run);
  // Before anything is looked at, which may move runs aside.
  const auto held = request.dry_run ? nullptr : hold(folder);
  queue.refresh();
  const int jobs = jobs_of(request, queue.plan());
  const Outlook outlook = look_ahead(queue, jobs, request.dry_run);
  if (outlook.num_runs + outlook.num_finished == 0) {
    throw base::UsageError(request.file, ": no cell matches --only ", request.only,
                           "; --dry-run lists the cells");
  }
  print_line(outlook_text(outlook, queue, jobs));
  if (request.dry_run) {
    print_cells(queue);
    print_line("Nothing was started (--dry-run).");
    return SweepOutcome::finished;
  }
  check_resources(outlook, folder, jobs);

  base::install_signal_handlers(
      "stopping once the running cells have saved; press again to leave at once, while they save");
  write_sweep_record(folder, queue.sweep(), queue.plan());
  if (!SweepRunner(queue, jobs).run()) {
    print_line(base::str(base::signal_name(base::stop_requested()),
                         "  the running cells are saved. Go on with the same command."));
    return SweepOutcome::interrupted;
  }
  return conclude(queue);
}

}  // namespace muonlab::study
