// The runs in a folder, for `muonlab runs`.
#pragma once

#include <string>
#include <vector>

#include "muonlab/record/progress.hpp"

namespace muonlab::record {

struct RunSummary {
  std::string path;
  RunProgress progress;
  double age_s = 0;  // since metrics.jsonl last grew
  // What the figures alone do not say: settings that changed on the way, a loss above that of
  // guessing.
  std::string remark{};
};

// Every folder at or below `folder` (two levels) that is a run's, newest first.
std::vector<RunSummary> list_runs(const std::string& folder);
// For a terminal of `width` columns.
std::string runs_table(const std::vector<RunSummary>& runs, size_t width);

}  // namespace muonlab::record
