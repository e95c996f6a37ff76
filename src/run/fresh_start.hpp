// Whether a run without a checkpoint may begin at step 0 in its folder.
#pragma once

#include "muonlab/record/run_folder.hpp"

namespace muonlab::run {

// Silent for a folder without metrics. Metrics that end before the first checkpoint was due are of
// a run that crashed early: a warning, for the same steps come again. Later ones had a checkpoint
// which is gone: throws base::Error, since starting over would cut them away.
void accept_fresh_start(const record::RunFolder& folder);

}  // namespace muonlab::run
