#include "muonlab/record/listing.hpp"

#include <algorithm>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/record/history.hpp"

namespace muonlab::record {
namespace {

constexpr int kDepth = 2;

std::string remark_on(const History& history) {
  std::string remark;
  for (const RunStart& start : history.changed()) {
    remark += base::str(remark.empty() ? "changed at step " : ", at step ", start.step, ":");
    for (size_t i = 0; i < start.changes.size(); ++i)
      remark += (i == 0 ? " " : ", ") + start.changes[i].difference.path;
  }
  if (history.end && !history.end->warning.empty())
    remark += base::str(remark.empty() ? "" : "; ", "loss above that of guessing");
  return remark;
}

RunSummary summarize(const std::string& path) {
  const RunFolder folder(path);
  const bool begun = base::real_file_system().exists(folder.metrics());
  const std::string touched = begun ? folder.metrics() : folder.resolved();
  const auto age = base::unix_seconds() - base::modified_unix_seconds(touched);
  return {path, read_progress(folder), static_cast<double>(age),
          remark_on(read_history(folder.history()))};
}

void collect(const std::string& path, int depth, std::vector<RunSummary>& runs) {
  base::FileSystem& files = base::real_file_system();
  // One run that cannot be read does not hide the others.
  try {
    if (files.exists(RunFolder(path).resolved())) {
      runs.push_back(summarize(path));
      return;
    }
  } catch (const base::Error& error) {
    base::log_warning(error.what(), "; left out of the list");
    return;
  }
  if (depth == 0) return;
  std::vector<std::string> names;
  try {
    names = files.list(path);
  } catch (const base::Error& error) {
    base::log_warning(error.what(), "; left out of the list");
  }
  for (const std::string& name : names) {
    const std::string below = base::join_path(path, name);
    // A link inside may lead in a circle.
    if (files.is_directory(below) && !files.is_link(below)) collect(below, depth - 1, runs);
  }
}

std::string loss_text(const std::optional<double>& loss) {
  return loss ? base::fixed(*loss, 4) : "-";
}

}  // namespace

std::vector<RunSummary> list_runs(const std::string& folder) {
  // A link to a folder of runs will do: with a slash behind it, it is the folder.
  base::FileSystem& files = base::real_file_system();
  if (!files.is_directory(base::join_path(folder, ""))) {
    throw base::Error(folder,
                      files.exists(folder)
                          ? ": is a file; name the folder that holds the runs"
                          : ": no such folder; `muonlab train CONFIG` puts runs into runs/");
  }
  std::vector<RunSummary> runs;
  collect(folder, kDepth, runs);
  std::stable_sort(runs.begin(), runs.end(),
                   [](const auto& a, const auto& b) { return a.age_s < b.age_s; });
  return runs;
}

std::string runs_table(const std::vector<RunSummary>& runs, size_t width) {
  using enum base::TextColumn::Kind;
  const bool remarks = std::any_of(runs.begin(), runs.end(),
                                   [](const RunSummary& run) { return !run.remark.empty(); });
  std::vector<base::TextColumn> columns{
      {"run"}, {"state"}, {"step", number}, {"loss", number}, {"val. loss", number}, {"age"}};
  if (remarks) columns.push_back({"remark", prose});
  base::TextTable table(columns);
  for (const RunSummary& run : runs) {
    const RunProgress& progress = run.progress;
    const bool diverged = progress.state == RunState::diverged;  // its earlier losses are no result
    std::vector<std::string> cells{run.path,
                                   state_name(progress.state),
                                   base::str(progress.step, "/", progress.steps),
                                   diverged ? "-" : loss_text(progress.loss),
                                   diverged ? "-" : loss_text(progress.val_loss),
                                   base::age_text(run.age_s)};
    if (remarks) cells.push_back(run.remark);
    table.add_row(std::move(cells));
  }
  return table.text(width);
}

}  // namespace muonlab::record
