#include "muonlab/record/listing.hpp"

#include <algorithm>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::record {
namespace {

constexpr int kDepth = 2;

RunSummary summarize(const std::string& path) {
  const RunFolder folder(path);
  const bool begun = base::real_file_system().exists(folder.metrics());
  const std::string touched = begun ? folder.metrics() : folder.resolved();
  const auto age = base::unix_seconds() - base::modified_unix_seconds(touched);
  return {path, read_progress(folder), static_cast<double>(age)};
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
  const auto row = [&](const std::string& path, const std::string& state, const std::string& step,
                       const std::string& loss, const std::string& val, const std::string& age) {
    return base::pad_right(path, width) + "  " + base::pad_right(state, 8) + "  " +
           base::pad_left(step, 13) + "  " + base::pad_left(loss, 8) + "  " +
           base::pad_left(val, 8) + "  " + age + "\n";
  };
  std::string table = row("run", "state", "step", "loss", "val", "age");
  for (const RunSummary& run : runs) {
    table +=
        row(run.path, state_name(run.progress.state),
            base::str(run.progress.step, "/", run.progress.steps), loss_text(run.progress.loss),
            loss_text(run.progress.val_loss), base::age_text(run.age_s));
  }
  return table;
}

}  // namespace muonlab::record
