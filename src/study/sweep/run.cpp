#include "muonlab/study/sweep/run.hpp"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "cards.hpp"
#include "display.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/foreign.hpp"
#include "muonlab/base/held_folder.hpp"
#include "muonlab/base/process.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/record/run_folder.hpp"
#include "outlook.hpp"
#include "queue.hpp"
#include "runner.hpp"
#include "slurm.hpp"

namespace muonlab::study {
namespace {

using base::print_line;

constexpr double kGrace_s = 600;  // for a stopped cell to save its state
constexpr double kJoin_s = 60;    // until a sweep that just began has planned

SweepFolder folder_of(const SweepRequest& request, const config::SweepConfig& sweep) {
  std::string path = request.out.empty() ? "runs/" + sweep.name : request.out;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return SweepFolder(path);
}

int threads_of(const Cell& cell) {
  return static_cast<int>(cell.config.threads.value_or(base::usable_processors()));
}

// The GPUs, where cells run on them.
std::vector<Card> cards_of(const SweepPlan& plan) {
  const bool any = std::any_of(plan.cells.begin(), plan.cells.end(),
                               [](const Cell& cell) { return runs_on_card(cell.config); });
  return any ? find_cards() : std::vector<Card>();
}

int jobs_of(const SweepRequest& request, const SweepPlan& plan, const std::vector<Card>& cards) {
  if (request.jobs > 0 || plan.cells.empty()) return std::max(1, request.jobs);
  if (!cards.empty()) return static_cast<int>(cards.size());
  int threads = 1;
  for (const Cell& cell : plan.cells) threads = std::max(threads, threads_of(cell));
  return std::max(1, base::usable_processors() / threads);
}

void check_cards(const Outlook& outlook, const std::vector<Card>& cards, int jobs) {
  if (cards.empty() || outlook.card_bytes == 0) return;
  const int most = jobs_that_fit(cards, outlook.card_bytes, jobs);
  if (most < jobs) {
    throw base::Error("GPU memory: a run takes about ", base::human_bytes(outlook.card_bytes),
                      ", so that ", most, " fit at once, not ", jobs, "; lower --jobs");
  }
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

// Runs that each take what memory there is cannot share it.
void check_sharing(const Outlook& outlook, const std::vector<Card>& cards, int jobs) {
  const int alone = std::max(1, static_cast<int>(cards.size()));
  if (!outlook.fills_memory || jobs <= alone) return;
  throw base::Error("train.micro_batch is \"auto\", with which a run takes all the memory there ",
                    "is; set it to a number, or give --jobs ", alone);
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
      state = "finished, validation loss " + final_loss_text(status);
    } else if (status.state == CellState::diverged) {
      state = "diverged";
    } else if (status.state == CellState::running) {
      state = base::str("another process trains it, step ", status.step);
    } else if (status.step > 0) {
      state = base::str("resumes from its newest checkpoint, step ", status.step, " at most");
    }
    print_line(base::str("  ", base::pad_right(cell.name, 44), "  ", state));
  }
}

SweepOutcome conclude(SweepQueue& queue) {
  int64_t failed = 0, left_out = 0, changed = 0;
  for (const Cell& cell : queue.plan().cells) {
    if (!queue.is_wanted(cell)) continue;
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
  for (const RateSearch& search : queue.plan().searches) {
    if (!search.all_diverged) continue;
    print_line(base::str("rates    ", search.block.empty() ? "" : search.block + ", ", search.row,
                         ": every run diverged or its loss exploded, so there is no best rate and "
                         "what waits for it was left out. Lower the grid of \"tune\"."));
  }
  const bool complete = failed == 0 && left_out == 0 && changed == 0 && queue.num_waiting() == 0;
  return complete ? SweepOutcome::finished : SweepOutcome::incomplete;
}

// Other sweeps may hold the folder as well, if they run the same file: cells are divided among all.
void join_others(const SweepFolder& folder, const config::SweepConfig& sweep) {
  const std::string path = folder.sweep();
  if (base::real_file_system().exists(path) && base::read_text(path) != sweep.source_text) {
    throw base::Error(folder.path(), ": a sweep is running there whose file was different from ",
                      sweep.path, " now (", path,
                      " holds it). Wait until it has ended, or name another folder with --out");
  }
  print_line(base::str("shared   another sweep works in ", folder.path(),
                       "; the cells are divided between them"));
}

// The folder of a sweep that runs already. It is shared once that sweep has written its plan.
std::unique_ptr<base::HeldFolder> hold_with_others(const SweepFolder& folder,
                                                   const config::SweepConfig& sweep) {
  const base::Stopwatch watch;
  while (true) {
    try {
      auto held =
          std::make_unique<base::HeldFolder>(folder.path(), base::base_name(folder.lock()),
                                             "the sweep " + folder.path(), base::LockMode::shared);
      join_others(folder, sweep);
      return held;
    } catch (const base::InUse&) {
      if (watch.seconds() > kJoin_s || base::stop_requested() != 0) throw;
    }
  }
}

// Takes the sweep's folder and makes the folders in it. The first sweep holds it alone until it
// shares it.
std::unique_ptr<base::HeldFolder> hold(const SweepFolder& folder,
                                       const config::SweepConfig& sweep) {
  const std::vector<std::string> inside{folder.configs(), folder.cells(), folder.outputs(),
                                        folder.failures(), folder.claims()};
  std::vector<std::string> known{base::base_name(folder.lock())};
  for (const std::string& path : inside) known.push_back(base::base_name(path));
  base::refuse_foreign_folder(folder.path(), base::base_name(folder.sweep()), known,
                              "Name a new folder with --out");
  base::make_directories(folder.path());
  try {
    auto held = std::make_unique<base::HeldFolder>(folder.path(), base::base_name(folder.lock()),
                                                   "the sweep " + folder.path());
    for (const std::string& path : inside) base::make_directories(path, held->files());
    base::remove_temporaries(folder.path(), held->files());
    return held;
  } catch (const base::InUse&) {
    return hold_with_others(folder, sweep);
  }
}

}  // namespace

SweepEnd run_sweep(const SweepRequest& request) {
  config::SweepConfig sweep = config::load_sweep(request.file);
  const SweepFolder folder = folder_of(request, sweep);
  SweepPlanner planner(std::move(sweep), windows_of(folder), reduction_of(folder));
  // all cells are valid before anything is made
  planner.outline([](const Cell&) { return std::optional<double>(); });
  SweepQueue queue(std::move(planner), folder, request.only,
                   request.redo_changed && !request.dry_run);
  // Before anything is looked at, which may move runs aside.
  const auto held = request.dry_run ? nullptr : hold(folder, queue.sweep());
  queue.refresh();
  const std::vector<Card> cards = cards_of(queue.plan());
  const int jobs = jobs_of(request, queue.plan(), cards);
  const Outlook outlook = look_ahead(queue, jobs, request.dry_run);
  if (outlook.num_runs + outlook.num_finished == 0) {
    throw base::UsageError(request.file, ": no cell matches --only ", request.only,
                           "; --dry-run lists the cells");
  }
  print_line(outlook_text(outlook, queue, jobs));
  if (const std::string text = cards_text(outlook, cards); !text.empty()) print_line(text);
  if (request.dry_run) {
    print_cells(queue);
    if (request.slurm) {
      for (const std::string& line : SlurmSweep(queue, request).describe())
        print_line("slurm    " + line);
    }
    print_line("Nothing was started (--dry-run).");
    return {SweepOutcome::listed, folder.path()};
  }
  if (!request.slurm) {
    check_resources(outlook, folder, jobs);
    check_cards(outlook, cards, jobs);
    check_sharing(outlook, cards, jobs);
  }

  base::install_signal_handlers(
      request.slurm ? "leaving; the tasks in Slurm continue"
                    : "stopping once the running cells have saved; press again to leave at once, "
                      "while they save");
  write_sweep_record(folder, queue.sweep(), queue.plan());
  held->share();
  if (request.slurm) {
    if (!run_on_slurm(queue, request)) return {SweepOutcome::interrupted, folder.path()};
    return {conclude(queue), folder.path()};
  }
  if (!SweepRunner(queue, jobs, kGrace_s, base::own_program(), cards).run()) {
    print_line(base::str(base::signal_name(base::stop_requested()),
                         "  the running cells are saved. The same command resumes them."));
    return {SweepOutcome::interrupted, folder.path()};
  }
  return {conclude(queue), folder.path()};
}

}  // namespace muonlab::study
