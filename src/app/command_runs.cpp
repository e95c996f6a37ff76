// muonlab runs: what is in a folder of runs and sweeps.
#include <algorithm>
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "json_result.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/record/listing.hpp"
#include "muonlab/study/sweep/sweep.hpp"
#include "run_json.hpp"

namespace muonlab::app {
namespace {

// "12 of 84 runs done, 1 failed"
std::string sweep_state(const std::string& path) {
  const study::SweepResult sweep = study::read_sweep(path);
  const auto count = [&](study::CellState state) {
    return std::count_if(
        sweep.cells.begin(), sweep.cells.end(),
        [state](const study::CellResult& cell) { return cell.status.state == state; });
  };
  using enum study::CellState;
  std::string text =
      base::str(count(finished) + count(diverged), " of ",
                static_cast<int64_t>(sweep.cells.size()) + sweep.num_waiting, " runs done");
  if (count(running) > 0) text += base::str(", ", count(running), " running");
  if (count(diverged) > 0) text += base::str(", ", count(diverged), " diverged");
  if (count(failed) > 0) text += base::str(", ", count(failed), " failed");
  return text;
}

std::string sweeps_table(const std::vector<std::string>& sweeps) {
  base::TextTable table({{"sweep"}, {"state", base::TextColumn::Kind::prose}});
  for (const std::string& path : sweeps) {
    // One sweep that cannot be read does not hide the others.
    try {
      table.add_row({path, sweep_state(path)});
    } catch (const base::Error& error) {
      base::log_warning(error.what(), "; left out of the list");
    }
  }
  return table.text(base::table_width());
}

void list(const std::string& folder) {
  const std::vector<record::RunSummary> runs = record::list_runs(folder);
  const std::vector<std::string> sweeps = study::sweeps_in(folder);
  if (!runs.empty()) std::cout << record::runs_table(runs, base::table_width());
  if (!runs.empty() && !sweeps.empty()) std::cout << "\n";
  if (!sweeps.empty()) std::cout << sweeps_table(sweeps);
  if (runs.empty() && sweeps.empty())
    std::cout << folder << ": no runs yet; `muonlab train CONFIG` makes one\n";
}

// Runs in the order of the table, then sweeps.
nlohmann::ordered_json listing_json(const std::string& folder) {
  nlohmann::ordered_json answer{{"runs", nlohmann::ordered_json::array()},
                                {"sweeps", nlohmann::ordered_json::array()}};
  for (const record::RunSummary& run : record::list_runs(folder)) {
    nlohmann::ordered_json json = run_json(run.path);
    json["age_s"] = run.age_s;
    if (!run.remark.empty()) json["remark"] = run.remark;
    answer["runs"].push_back(std::move(json));
  }
  for (const std::string& path : study::sweeps_in(folder)) {
    try {
      answer["sweeps"].push_back(sweep_json(path));
    } catch (const base::Error& error) {
      base::log_warning(error.what(), "; left out of the list");
    }
  }
  return answer;
}

}  // namespace

void add_runs(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "runs", R"(List runs with state, step, loss and age, and sweeps with their progress.

  muonlab runs
  muonlab runs runs/quickstart_ablation     # the cells of a sweep)");
  auto folder = std::make_shared<std::string>("runs");
  command->add_option("DIR", *folder, "folder of runs and sweeps, or a sweep; default: runs");
  auto json = std::make_shared<bool>(false);
  add_json(*command, *json);
  command->callback([folder, json] {
    const JsonResult result(*json);
    if (result.wanted()) {
      result.print(listing_json(*folder));
    } else {
      list(*folder);
    }
  });
}

}  // namespace muonlab::app
