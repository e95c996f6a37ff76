// A run's training from its start to its end, with all that it writes on the way.
#pragma once

#include <string>
#include <vector>

#include "muonlab/record/changes.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/train/loop.hpp"
#include "run_guard.hpp"

namespace muonlab::run {

// Trains until the last step or a signal; metrics, timing, probes, checkpoints, the log and the
// history are written, and the end is printed. `changes`: what history.jsonl notes with the start.
// Throws NonFinite, naming the last good checkpoint.
train::Outcome train_to_end(Session& session, const record::RunFolder& folder,
                            const std::vector<record::Change>& changes, const RunGuard& guard);
}  // namespace muonlab::run
