// How many steps a run of train.seconds has.
#pragma once

#include "muonlab/run/session.hpp"
#include "muonlab/train/checkpoint.hpp"

namespace muonlab::run {

// Where train.seconds asks for it, measures steps as the run will take them, for a twentieth of
// that time and at most ten seconds, sets train.steps to what fills it behind `done` steps, and
// plans the run. Throws base::Error for several processes, which would have to measure together.
void fill_seconds(Prepared& prepared, int64_t done = 0);

// The same for a run that resumes, at the speed that it measured when it began, with `done` steps
// behind it where it was branched. Throws base::Error where it began with another kind of length.
void fill_seconds_as(const train::SavedState& begun, Prepared& prepared, int64_t done = 0);

}  // namespace muonlab::run
