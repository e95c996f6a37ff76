// How far a run is, read from its folder: the one definition of running, finished and diverged.
#pragma once

#include <cstdint>
#include <optional>

#include "muonlab/record/run_folder.hpp"

namespace muonlab::record {

enum class RunState {
  running,   // a process holds the run's lock
  finished,  // the last planned step was taken, validated and saved
  diverged,  // its last process met a loss, gradient or weight that is not finite
  stopped    // none of these: it can be resumed
};
const char* state_name(RunState state);

struct RunProgress {
  RunState state = RunState::stopped;
  int64_t step = 0, steps = 0;   // steps: 0 until the run has planned them
  std::optional<double> loss{};  // of the newest recorded step; absent where it is not finite
  // Of the newest finite validation. In a finished run it is the one after the last step.
  std::optional<double> val_loss{};
};

// Reads the plan, the history and, unless no validation is near it, only the end of metrics.jsonl.
// A folder without metrics gives zeros.
RunProgress read_progress(const RunFolder& folder);

}  // namespace muonlab::record
