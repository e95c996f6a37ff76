#include "muonlab/record/progress.hpp"

#include <algorithm>
#include <string_view>

#include "muonlab/base/lock.hpp"
#include "muonlab/record/history.hpp"
#include "muonlab/record/json_lines.hpp"

namespace muonlab::record {
namespace {

constexpr size_t kTailBytes = 16384;  // of metrics.jsonl: some sixty lines

// The newest of what metrics.jsonl records.
struct Newest {
  int64_t step = 0;
  std::optional<double> loss{}, val_loss{};
  int64_t val_step = -1;  // of the newest validation, finite or not
  bool val_is_finite = false;
};

std::optional<double> finite_in(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);  // JSON has no NaN: it is written as null
  if (found == line.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

Newest newest_in(std::string_view text) {
  Newest newest;
  for (const std::string& line : base::split(text, '\n')) {
    const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) continue;  // cut short, at either end
    const int64_t step = count_in(json, "step");
    newest.step = std::max(newest.step, step);
    if (json.contains("loss")) newest.loss = finite_in(json, "loss");
    if (!json.contains("val_loss")) continue;
    const std::optional<double> val_loss = finite_in(json, "val_loss");
    newest.val_step = step;
    newest.val_is_finite = val_loss.has_value();
    if (val_loss) newest.val_loss = val_loss;
  }
  return newest;
}

Newest read_newest(const std::string& path) {
  if (!base::real_file_system().exists(path)) return {};
  const std::string text = base::read_tail(path, kTailBytes);
  const Newest tail = newest_in(text);
  return tail.val_loss || text.size() < kTailBytes ? tail : newest_in(base::read_text(path));
}

// Whether the state after the last step is, or once was, a checkpoint.
bool was_saved(const RunFolder& folder, const History& history, int64_t steps) {
  base::FileSystem& files = base::real_file_system();
  if (history.end && history.end->outcome == RunOutcome::finished) return true;
  // A run from before there was a history, whose checkpoints its owner has removed.
  if (history.starts.empty() && !files.exists(folder.checkpoints())) return true;
  return files.exists(folder.manifest(steps));
}

}  // namespace

const char* state_name(RunState state) {
  switch (state) {
    case RunState::running: return "running";
    case RunState::finished: return "finished";
    case RunState::diverged: return "diverged";
    case RunState::stopped: return "stopped";
  }
  return "";
}

RunProgress read_progress(const RunFolder& folder) {
  const Newest newest = read_newest(folder.metrics());
  RunProgress progress{.step = newest.step, .loss = newest.loss, .val_loss = newest.val_loss};
  if (const nlohmann::json plan = value_in(folder.plan()); plan.is_object()) {
    progress.steps = count_in(plan, "steps");
  }
  const History history = read_history(folder.history());
  const bool complete = progress.steps > 0 && newest.step >= progress.steps;
  const bool validated = newest.val_step >= progress.steps;
  if (base::FileLock::is_held(folder.lock())) {
    progress.state = RunState::running;
  } else if ((history.end && history.end->outcome == RunOutcome::diverged) ||
             (complete && validated && !newest.val_is_finite)) {
    progress.state = RunState::diverged;
  } else if (complete && validated && was_saved(folder, history, progress.steps)) {
    progress.state = RunState::finished;
  }
  return progress;
}

}  // namespace muonlab::record
