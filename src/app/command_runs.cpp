// muonlab runs: what is in a folder of runs and sweeps.
#include <algorithm>
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/record/listing.hpp"
#include "muonlab/study/sweep/sweep.hpp"

namespace muonlab::app {
namespace {

// "runs/trial  12 of 84 runs done, 1 failed"
std::string sweep_line(const std::string& path, size_t width) {
  const study::SweepResult sweep = study::read_sweep(path);
  const auto count = [&](study::CellState state) {
    return std::count_if(
        sweep.cells.begin(), sweep.cells.end(),
        [state](const study::CellResult& cell) { return cell.status.state == state; });
  };
  using enum study::CellState;
  std::string line =
      base::str(base::pad_right(path, width), "  ", count(finished) + count(diverged), " of ",
                static_cast<int64_t>(sweep.cells.size()) + sweep.num_waiting, " runs done");
  if (count(running) > 0) line += base::str(", ", count(running), " running");
  if (count(failed) > 0) line += base::str(", ", count(failed), " failed");
  return line + "\n";
}

void list_sweeps(const std::vector<std::string>& sweeps) {
  size_t width = 5;
  for (const std::string& path : sweeps) width = std::max(width, base::display_width(path));
  std::cout << "sweep\n";
  for (const std::string& path : sweeps) {
    // One sweep that cannot be read does not hide the others.
    try {
      std::cout << sweep_line(path, width);
    } catch (const base::Error& error) {
      base::log_warning(error.what(), "; left out of the list");
    }
  }
}

void list(const std::string& folder) {
  const std::vector<record::RunSummary> runs = record::list_runs(folder);
  const std::vector<std::string> sweeps = study::sweeps_in(folder);
  if (!runs.empty()) std::cout << record::runs_table(runs);
  if (!runs.empty() && !sweeps.empty()) std::cout << "\n";
  if (!sweeps.empty()) list_sweeps(sweeps);
  if (runs.empty() && sweeps.empty())
    std::cout << folder << ": no runs yet; `muonlab train CONFIG` makes one\n";
}

}  // namespace

void add_runs(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "runs", R"(List runs with state, step, loss and age, and sweeps with their progress.

  muonlab runs
  muonlab runs runs/quickstart_ablation     # the cells of a sweep)");
  auto folder = std::make_shared<std::string>("runs");
  command->add_option("DIR", *folder, "folder of runs and sweeps, or a sweep; default: runs");
  command->callback([folder] { list(*folder); });
}

}  // namespace muonlab::app
