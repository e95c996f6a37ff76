// Whether a run without a checkpoint may begin in its folder.
#pragma once

#include <cstdint>

#include "muonlab/record/run_folder.hpp"

namespace muonlab::run {

// Silent for a folder without metrics. Metrics that end before the first checkpoint was due are of
// a run that crashed early: a warning, for the same steps come again. Later ones had a checkpoint
// which is gone: throws base::Error, since starting over would cut them away. `step` is where it
// begins: 0, or that of the checkpoint it branches from.
void accept_fresh_start(const record::RunFolder& folder, int64_t step);

}  // namespace muonlab::run
