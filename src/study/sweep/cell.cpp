#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/exit_code.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/record/progress.hpp"
#include "muonlab/study/sweep/sweep.hpp"

namespace muonlab::study {
namespace {

// Settings that leave a cell's losses alone but for rounding.
constexpr std::array<const char*, 4> kSameNumbers{"name", "threads", "device", "checkpoint.*"};

}  // namespace

CellStatus cell_status(const SweepFolder& folder, const std::string& cell) {
  const record::RunProgress run = record::read_progress(record::RunFolder(folder.cell(cell)));
  CellStatus status{CellState::queued, run.step, run.steps, run.loss, run.val_loss};
  switch (run.state) {
    case record::RunState::running: status.state = CellState::running; return status;
    case record::RunState::finished: status.state = CellState::finished; return status;
    case record::RunState::diverged: status.state = CellState::diverged; return status;
    case record::RunState::stopped: break;
  }
  if (const nlohmann::json failure = record::value_in(folder.failure(cell)); failure.is_object()) {
    const bool diverged = record::count_in(failure, "exit_code") == base::exit_code::kNotFinite;
    status.state = diverged ? CellState::diverged : CellState::failed;
  }
  return status;
}

std::vector<std::string> cell_changes(const SweepFolder& folder, const Cell& cell) {
  const std::string path = record::RunFolder(folder.cell(cell.name)).config();
  if (!base::real_file_system().exists(path)) return {};
  const config::RunConfig before = config::parse_stored_config(base::read_text(path), path);
  std::vector<std::string> changes;
  for (const config::Difference& d : config::diff_configs(before, cell.config)) {
    const auto matches = [&](const char* pattern) { return base::glob_match(pattern, d.path); };
    if (std::any_of(kSameNumbers.begin(), kSameNumbers.end(), matches)) continue;
    changes.push_back(base::str(d.path, " ", d.before.empty() ? "absent" : d.before, " -> ",
                                d.after.empty() ? "absent" : d.after));
  }
  return changes;
}

}  // namespace muonlab::study
