// What a user names as a run or a checkpoint, found on disk.
#pragma once

#include <string>

namespace muonlab::record {

// A run's folder, one of its checkpoints, or RUN@STEP, as a checkpoint's path; the newest good one
// for a run. Throws base::Error naming what is there instead.
std::string find_checkpoint(const std::string& run_or_checkpoint);

}  // namespace muonlab::record
