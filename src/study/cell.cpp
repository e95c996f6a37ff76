#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/lock.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/run/folder.hpp"
#include "muonlab/run/json_lines.hpp"
#include "muonlab/store/checkpoint.hpp"
#include "muonlab/study/sweep.hpp"
#include "muonlab/train/non_finite.hpp"

namespace muonlab::study {
namespace {

// Settings that leave a cell's losses alone but for rounding.
constexpr std::array<const char*, 4> kSameNumbers{"name", "threads", "device", "checkpoint.*"};

using run::count_in;

constexpr size_t kTailBytes = 8192;  // of metrics.jsonl: some thirty lines

void read_newest(const std::string& path, CellStatus& status) {
  const base::MappedFile file = base::map_file(path);
  const std::string_view text = file.text();
  for (const std::string& line :
       base::split(text.substr(text.size() - std::min(text.size(), kTailBytes)), '\n')) {
    const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) continue;  // cut short, at either end
    status.step = std::max(status.step, count_in(json, "step"));
    if (json.contains("loss") && json["loss"].is_number()) status.loss = json["loss"].get<double>();
    if (json.contains("val_loss") && json["val_loss"].is_number())
      status.val_loss = json["val_loss"].get<double>();
  }
}

}  // namespace

CellStatus cell_status(const SweepFolder& folder, const std::string& cell) {
  base::FileSystem& files = base::real_file_system();
  const run::RunFolder run(folder.cell(cell));
  CellStatus status;
  if (const nlohmann::json plan = run::value_in(run.plan()); plan.is_object())
    status.steps = count_in(plan, "steps");
  if (files.exists(run.metrics())) read_newest(run.metrics(), status);
  const std::string last = base::join_path(run.checkpoints(), store::checkpoint_name(status.steps));
  if (base::FileLock::is_held(run.lock())) {
    status.state = CellState::running;
  } else if (status.steps > 0 && status.step >= status.steps && status.val_loss &&
             files.exists(base::join_path(last, "manifest.json"))) {
    status.state = CellState::finished;
  } else if (const nlohmann::json failure = run::value_in(folder.failure(cell));
             failure.is_object()) {
    status.state = count_in(failure, "exit_code") == train::kNonFiniteExitCode ? CellState::diverged
                                                                               : CellState::failed;
  }
  return status;
}

std::vector<std::string> cell_changes(const SweepFolder& folder, const Cell& cell) {
  const std::string path = run::RunFolder(folder.cell(cell.name)).config();
  if (!base::real_file_system().exists(path)) return {};
  const config::RunConfig before = config::parse_config(base::read_text(path), path).run;
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
