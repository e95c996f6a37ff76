// `muonlab train` as a function: start, resume or branch a run, and train it to its end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "muonlab/comm/identity.hpp"
#include "muonlab/config/run.hpp"
#include "muonlab/train/loop.hpp"

namespace muonlab::run {

struct TrainRequest {
  std::string config_path;            // empty with `resume`
  std::vector<std::string> settings;  // path=value
  std::string run_dir;                // default: runs/<name>
  std::string resume;                 // a run's folder: resume with its stored configuration
  std::string from;                   // RUN@STEP: branch from that checkpoint
  bool allow_change = false;          // settings that change the training may change at a resume
  comm::Identity identity{};          // which of the run's processes this is
  double patience_s = 60;             // a process that does not answer so long stops the others
};

struct TrainResult {
  train::Outcome outcome;
  std::string folder;  // the run's
};

// Installs the signal handlers, prints to standard output. Throws base::Error (bad configuration,
// refused changes, damaged checkpoints, a non-finite loss with the last good checkpoint named).
TrainResult train_run(const TrainRequest& request);

// `muonlab train --dry-run`: what the start of a run would print, with a line where this machine
// has less memory than it takes. Starts nothing and needs no data where the configuration says the
// vocabulary and the length.
std::string describe_run(const config::RunConfig& run);

// `muonlab init`: the step-0 checkpoint of a configuration at `folder`, which may not exist yet.
void write_initial_checkpoint(const std::string& config_path,
                              const std::vector<std::string>& settings, const std::string& folder);

}  // namespace muonlab::run
