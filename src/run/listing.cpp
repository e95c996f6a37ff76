#include "muonlab/run/listing.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/lock.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/run/folder.hpp"
#include "muonlab/run/json_lines.hpp"

namespace muonlab::run {
namespace {

constexpr int kDepth = 2;

void read_metrics(const std::string& path, RunSummary& summary) {
  each_json_line(path, [&](const nlohmann::json& json) {
    summary.step = std::max(summary.step, count_in(json, "step"));
    if (json.contains("loss") && json["loss"].is_number())
      summary.loss = json["loss"].get<double>();
    if (json.contains("val_loss") && json["val_loss"].is_number())
      summary.val_loss = json["val_loss"].get<double>();
  });
}

RunSummary summarize(const std::string& path) {
  base::FileSystem& files = base::real_file_system();
  const RunFolder folder(path);
  RunSummary summary{.path = path};
  const nlohmann::json plan =
      files.exists(folder.plan())
          ? nlohmann::json::parse(base::read_text(folder.plan()), nullptr, false)
          : nlohmann::json();
  if (plan.is_object()) summary.steps = count_in(plan, "steps");
  std::string touched = folder.resolved();
  if (files.exists(folder.metrics())) {
    read_metrics(folder.metrics(), summary);
    touched = folder.metrics();
  }
  summary.age_s = static_cast<double>(base::unix_seconds() - base::modified_unix_seconds(touched));
  if (base::FileLock::is_held(folder.lock())) {
    summary.state = RunState::running;
  } else if (summary.steps > 0 && summary.step >= summary.steps) {
    summary.state = RunState::finished;
  }
  return summary;
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

const char* state_name(RunState state) {
  switch (state) {
    case RunState::running: return "running";
    case RunState::finished: return "finished";
    case RunState::stopped: return "stopped";
  }
  return "";
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
    table += row(run.path, state_name(run.state), base::str(run.step, "/", run.steps),
                 loss_text(run.loss), loss_text(run.val_loss), base::age_text(run.age_s));
  }
  return table;
}

}  // namespace muonlab::run
