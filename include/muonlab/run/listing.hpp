// The runs in a folder, for `muonlab runs`.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace muonlab::run {

enum class RunState { running, finished, stopped };

struct RunSummary {
  std::string path;
  RunState state = RunState::stopped;
  int64_t step = 0, steps = 0;
  std::optional<double> loss{}, val_loss{};  // the last of each
  double age_s = 0;                          // since metrics.jsonl last grew
};

// Every folder at or below `folder` (two levels) that is a run's, newest first.
std::vector<RunSummary> list_runs(const std::string& folder);
std::string runs_table(const std::vector<RunSummary>& runs);

}  // namespace muonlab::run
