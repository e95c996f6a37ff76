#include "muonlab/record/listing.hpp"

#include <algorithm>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"
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
    remark += base::str(remark.empty() ? "" : "; ", "loss exploded");
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
    if (files.is_directory(below)) collect(below, depth - 1, runs);
  }
}

std::string loss_text(const std::optional<double>& loss) {
  return loss ? base::fixed(*loss, 4) : "-";
}

}  // namespace

std::vector<RunSummary> list_runs(const std::string& folder) {
  // A link to a folder of runs will do: with a slash behind it, it is the folder.
  if (!base::real_file_system().is_directory(base::join_path(folder, "")))
    throw base::Error(folder, ": no such folder; `muonlab train CONFIG` puts runs into runs/");
  std::vector<RunSummary> runs;
  collect(folder, kDepth, runs);
  std::stable_sort(runs.begin(), runs.end(),
                   [](const auto& a, const auto& b) { return a.age_s < b.age_s; });
  return runs;
}

std::string runs_table(const std::vector<RunSummary>& runs) {
  size_t width = 3;
  for (const RunSummary& run : runs) width = std::max(width, base::display_width(run.path));
  const bool any = std::any_of(runs.begin(), runs.end(),
                               [](const RunSummary& run) { return !run.remark.empty(); });
  const auto row = [&](const std::string& path, const std::string& state, const std::string& step,
                       const std::string& loss, const std::string& val, const std::string& age,
                       const std::string& remark) {
    return base::pad_right(path, width) + "  " + base::pad_right(state, 8) + "  " +
           base::pad_left(step, 13) + "  " + base::pad_left(loss, 8) + "  " +
           base::pad_left(val, 8) + "  " +
           (remark.empty() ? age : base::pad_right(age, 10) + "  " + remark) + "\n";
  };
  std::string table = row("run", "state", "step", "loss", "val", "age", any ? "remark" : "");
  for (const RunSummary& run : runs) {
    table +=
        row(run.path, state_name(run.progress.state),
            base::str(run.progress.step, "/", run.progress.steps), loss_text(run.progress.loss),
            loss_text(run.progress.val_loss), base::age_text(run.age_s), run.remark);
  }
  return table;
}

}  // namespace muonlab::record
