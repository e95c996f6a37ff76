#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/exit_code.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/corpus.hpp"
#include "muonlab/record/changes.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/record/progress.hpp"
#include "muonlab/record/run_record.hpp"
#include "muonlab/study/sweep/sweep.hpp"

namespace muonlab::study {
namespace {

// Of the finished run in the folder; 0 where its record does not tell.
int64_t vocabulary_of(const record::RunFolder& folder) {
  const nlohmann::json resolved = record::value_in(folder.resolved());
  const auto model = resolved.is_object() ? resolved.find("model") : resolved.end();
  return model != resolved.end() && model->is_object() ? record::count_in(*model, "vocabulary") : 0;
}

// Whether the data are where `now` says, with the content that the run in the folder was trained
// on.
bool has_same_content(const record::RunFolder& folder, const config::RunConfig& now) {
  const std::string trained_on = record::data_identity(folder);
  if (trained_on.empty()) return false;
  try {
    return data::open_dataset(now.data, now.model.context, now.seed).identity == trained_on;
  } catch (const base::Error&) {
    return false;
  }
}

}  // namespace

std::optional<double> loss_for_search(const CellStatus& status) {
  constexpr double kWorst = std::numeric_limits<double>::infinity();
  if (status.state == CellState::diverged) return kWorst;
  if (status.state != CellState::finished) return std::nullopt;
  return status.doubt == record::LossDoubt::none ? status.val_loss : kWorst;
}

CellStatus cell_status(const SweepFolder& folder, const std::string& cell) {
  const record::RunFolder run_folder(folder.cell(cell));
  const record::RunProgress run = record::read_progress(run_folder);
  CellStatus status{CellState::queued, run.step, run.steps, run.loss, run.val_loss};
  switch (run.state) {
    case record::RunState::running: status.state = CellState::running; return status;
    case record::RunState::finished:
      status.state = CellState::finished;
      if (run.val_loss) status.doubt = record::doubt_of(*run.val_loss, vocabulary_of(run_folder));
      return status;
    case record::RunState::diverged: status.state = CellState::diverged; return status;
    case record::RunState::stopped: break;
  }
  if (const nlohmann::json failure = record::value_in(folder.failure(cell)); failure.is_object()) {
    const bool diverged = record::count_in(failure, "exit_code") == base::exit_code::kNotFinite;
    status.state = diverged ? CellState::diverged : CellState::failed;
  }
  return status;
}

namespace {

// The first cell's configuration as stored, of those of which `has` is true; null where there is
// none.
template <class Has>
nlohmann::json first_cell(const SweepFolder& folder, Has has) {
  base::FileSystem& files = base::real_file_system();
  if (!files.exists(folder.cells())) return nullptr;
  for (const std::string& name : files.list(folder.cells())) {
    nlohmann::json cell = record::value_in(record::RunFolder(folder.cell(name)).config());
    if (cell.is_object() && has(cell)) return cell;
  }
  return nullptr;
}

bool has_section(const nlohmann::json& cell, const char* name) {
  return cell.contains(name) && cell[name].is_object();
}

}  // namespace

config::EvalWindows windows_of(const SweepFolder& folder) {
  const nlohmann::json cell =
      first_cell(folder, [](const auto& c) { return has_section(c, "eval"); });
  if (cell.is_null()) return config::EvalWindows::spread;
  const nlohmann::json& eval = cell["eval"];
  const bool first = !eval.contains("windows") || eval["windows"] == "first";
  return first ? config::EvalWindows::first : config::EvalWindows::spread;
}

config::Reduction reduction_of(const SweepFolder& folder) {
  const nlohmann::json cell = first_cell(folder, [](const auto& c) {
    return has_section(c, "train") && c["train"].contains("batch") &&
           c["train"].contains("micro_batch") && c["train"]["batch"] != c["train"]["micro_batch"];
  });
  if (cell.is_null()) return config::Reduction::exact;
  const nlohmann::json& train = cell["train"];
  const bool fast = !train.contains("reduction") || train["reduction"] == "fast";
  return fast ? config::Reduction::fast : config::Reduction::exact;
}

std::vector<std::string> cell_changes(const SweepFolder& folder, const Cell& cell) {
  const record::RunFolder run_folder(folder.cell(cell.name));
  const std::string path = run_folder.config();
  if (!base::real_file_system().exists(path)) return {};
  const config::RunConfig before = config::parse_stored_config(base::read_text(path), path).run;
  std::vector<config::Difference> differences = config::diff_configs(before, cell.config);
  std::erase_if(differences, [](const auto& d) { return record::keeps_record(d.path); });
  const bool moved_only = std::all_of(differences.begin(), differences.end(),
                                      [](const auto& d) { return record::places_data(d.path); });
  if (differences.empty() || (moved_only && has_same_content(run_folder, cell.config))) return {};
  std::vector<std::string> changes;
  for (const config::Difference& d : differences) {
    changes.push_back(base::str(d.path, " ", d.before.empty() ? "absent" : d.before, " -> ",
                                d.after.empty() ? "absent" : d.after));
  }
  return changes;
}

}  // namespace muonlab::study
