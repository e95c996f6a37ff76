// What a user names as a run or a checkpoint, opened.
#pragma once

#include <string>

#include "muonlab/store/checkpoint.hpp"

namespace muonlab::record {

// A run's folder, for which the newest good checkpoint is taken, one of its checkpoints, or
// RUN@STEP. Throws base::Error naming what is there instead, or what is wrong with the checkpoint.
store::Checkpoint open_checkpoint(const std::string& run_or_checkpoint);

}  // namespace muonlab::record
