#include "runner.hpp"

#include <algorithm>
#include <csignal>

#include "muonlab/base/exit_code.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/study/sweep/estimate.hpp"
#include "outlook.hpp"

namespace muonlab::study {
namespace {

using base::print_line;

constexpr double kWait_s = 0.05;
constexpr double kDisplay_s = 0.5;
constexpr double kLook_s = 1;            // between looks at the cells of other sweeps
constexpr double kLookShare = 20;        // and so many times as long as a look takes
constexpr double kPlainInterval_s = 60;  // between lines elsewhere than on a terminal
constexpr size_t kPlainWidth = 160;
constexpr size_t kNameWidth = 48;
constexpr int64_t kStepsForSpeed = 10;

// A cell that has only been started does not catch signals yet, and the signal itself ends it.
bool is_end_by_stop(int exit_code) {
  return exit_code == base::exit_code::kInterrupted || exit_code == 128 + SIGTERM;
}

}  // namespace

SweepRunner::SweepRunner(SweepQueue& queue, int jobs, double grace_s, std::string program,
                         std::vector<Card> cards)
    : queue_(queue),
      jobs_(jobs),
      grace_s_(grace_s),
      program_(std::move(program)),
      cards_(std::move(cards)),
      live_(1, kPlainInterval_s) {}

bool SweepRunner::run() {
  while (true) {
    reap();
    if (base::stop_requested() != 0) return stop();
    look_around();
    start_what_can();
    // Nothing runs and nothing can be started: done, unless other processes train cells.
    if (running_.empty() && !others_run()) {
      // One of them may have ended a search since the last look, so that there is more to do.
      if (!queue_.look_around()) break;
      plan_again(queue_);
      continue;
    }
    show();
    base::wait_for_child(kWait_s);
  }
  live_.clear();
  return true;
}

// At what other sweeps did; never for more than a small share of the time, however slow the disk.
void SweepRunner::look_around() {
  const double now = base::monotonic_seconds();
  if (now < next_look_s_) return;
  if (queue_.look_around()) plan_again(queue_);
  const double took = base::monotonic_seconds() - now;
  next_look_s_ = now + std::max(kLook_s, kLookShare * took);
}

void SweepRunner::start_what_can() {
  while (static_cast<int>(running_.size()) < jobs_) {
    const std::optional<Cell> cell = queue_.next();
    if (!cell) return;
    start(*cell);
  }
}

std::optional<size_t> SweepRunner::card_for(const Cell& cell) const {
  if (cards_.empty() || !runs_on_card(cell.config)) return std::nullopt;
  std::vector<int> busy(cards_.size());
  for (const Job& job : running_) {
    if (job.card) ++busy[*job.card];
  }
  return next_card(busy);
}

void SweepRunner::start(const Cell& cell) {
  const SweepFolder& folder = queue_.folder();
  const std::string config = folder.config(cell.name);
  base::write_atomically(config, config::dump_config(cell.config));
  const std::vector<std::string> command{
      program_, "train", config, "--run-dir", folder.cell(cell.name),
      // also where the sweep itself was started by a launcher of several processes
      "--processes", "1"};
  const std::optional<size_t> card = card_for(cell);
  std::vector<std::string> environment;
  if (card) environment.push_back("CUDA_VISIBLE_DEVICES=" + cards_[*card].device);
  auto process =
      std::make_unique<base::ChildProcess>(command, folder.output(cell.name), environment);
  queue_.started(cell);
  running_.push_back({cell, std::move(process), {}, queue_.status(cell).step, card});
}

void SweepRunner::reap() {
  for (size_t i = 0; i < running_.size();) {
    const std::optional<int> code = running_[i].process->poll();
    if (!code) {
      ++i;
      continue;
    }
    const Job job = std::move(running_[i]);
    running_.erase(running_.begin() + static_cast<ptrdiff_t>(i));
    // A cell that was stopped, or killed since it did not stop, has not failed: it resumes.
    const bool stopped = base::stop_requested() != 0 && (is_end_by_stop(*code) || killed_);
    stopped ? queue_.stopped(job.cell) : ended(job, *code);
  }
}

void SweepRunner::ended(const Job& job, int exit_code) {
  const CellStatus status = queue_.ended(job.cell, exit_code);
  if (status.state == CellState::running) {
    print_line("   " + job.cell.name + "  another process trains it; the sweep waits for that one");
    return;
  }
  size_t width = 0;
  for (const Cell& cell : queue_.plan().cells)
    width = std::max(width, base::display_width(cell.name));
  print_line(ended_line(job.cell.name, status, job.watch.seconds(), std::min(width, kNameWidth)));
  if (status.state == CellState::failed)
    print_line("     its output: " + queue_.folder().output(job.cell.name));
  if (status.state == CellState::finished && status.step > job.first_step) {
    const double share =
        static_cast<double>(status.step - job.first_step) / static_cast<double>(status.step);
    measured_flops_ += share * flops_of(job.cell);
    measured_s_ += job.watch.seconds();
  }
  if (job.cell.tuning) plan_again(queue_);
}

bool SweepRunner::others_run() {
  const std::vector<Cell>& cells = queue_.plan().cells;
  return std::any_of(cells.begin(), cells.end(), [&](const Cell& cell) {
    return queue_.is_wanted(cell) && queue_.status(cell).state == CellState::running;
  });
}

bool SweepRunner::stop() {
  for (const Job& job : running_) job.process->ask_to_end();
  live_.update(base::str(" stopping: ", running_.size(),
                         running_.size() == 1 ? " cell saves" : " cells save", " its state"));
  const base::Stopwatch watch;
  while (!running_.empty()) {
    base::wait_for_child(kWait_s);
    reap();
    if (killed_ || watch.seconds() < grace_s_) continue;
    killed_ = true;
    for (const Job& job : running_) {
      print_line(base::str("   ", job.cell.name, "  did not end within ",
                           base::human_duration(grace_s_),
                           " and is killed; it resumes from its newest checkpoint"));
      job.process->signal(SIGKILL);
    }
  }
  live_.clear();
  return false;
}

double SweepRunner::flops_of(const Cell& cell) {
  const auto [flops, is_new] = flops_.try_emplace(cell.key);
  if (is_new) flops->second = run_flops(data_sizes_.complete(cell.config));
  return flops->second;
}

// How far a job is and the seconds it has left: by its own speed once it has one, else by that of
// the cells before it.
RunningCell SweepRunner::running_cell(const Job& job, double& left_flops) {
  RunningCell shown{job.cell.name, cell_status(queue_.folder(), job.cell.name)};
  const double steps = static_cast<double>(std::max<int64_t>(shown.status.steps, 1));
  const double left_share = 1 - static_cast<double>(shown.status.step) / steps;
  const int64_t done_here = shown.status.step - job.first_step;
  left_flops = left_share * flops_of(job.cell);
  if (done_here >= kStepsForSpeed) {
    shown.left_s = job.watch.seconds() / static_cast<double>(done_here) * left_share * steps;
  } else if (measured_s_ > 0) {
    shown.left_s = left_flops / measured_flops_ * measured_s_;
  }
  return shown;
}

void SweepRunner::show() {
  const double now = base::monotonic_seconds();
  if (now - shown_s_ < kDisplay_s) return;
  shown_s_ = now;
  SweepProgress progress;
  double left_flops = 0, running_left_s = 0;
  for (const Job& job : running_) {
    double flops = 0;
    progress.running.push_back(running_cell(job, flops));
    running_left_s += progress.running.back().left_s;
  }
  for (const Cell& cell : queue_.plan().cells) {
    const bool is_running = std::any_of(running_.begin(), running_.end(),
                                        [&](const Job& job) { return job.cell.name == cell.name; });
    if (is_running || !queue_.is_wanted(cell)) continue;
    const CellState state = queue_.status(cell).state;
    progress.elsewhere += state == CellState::running;
    progress.done += has_ended(state);
    progress.failed += state == CellState::failed;
    if (state != CellState::queued && state != CellState::running) continue;
    ++progress.queued;
    left_flops += flops_of(cell);
  }
  progress.waiting = queue_.num_waiting();
  if (progress.waiting > 0) {
    left_flops += static_cast<double>(progress.waiting) * flops_of(queue_.plan().cells.front());
  }
  if (measured_s_ > 0) {
    progress.left_s = (left_flops / measured_flops_ * measured_s_ + running_left_s) / jobs_;
  }
  live_.update(progress_line(
      progress, live_.on_terminal() ? static_cast<size_t>(base::terminal_width(1)) : kPlainWidth));
}

}  // namespace muonlab::study
