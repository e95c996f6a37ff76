// What differs between a run's checkpoint and what is asked of it now.
#pragma once

#include <vector>

#include "muonlab/record/changes.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/train/checkpoint.hpp"

namespace muonlab::run {

// Settings and facts of the build. A change of learning rates that leaves those of all steps so far
// as they were is safe, and so is one of the length that leaves their momentum, their batches and
// the average of their weights as well: one command makes the same run.
std::vector<record::Change> find_changes(const train::SavedState& saved, const Prepared& prepared,
                                         const record::RunFolder& folder);
// Prints the changes. Throws base::Error where one is refused, and where one changes the training
// unless allow_change is set or an earlier start from the same checkpoint was allowed it.
void accept_changes(const std::vector<record::Change>& changes, const train::SavedState& saved,
                    const record::RunFolder& folder, bool allow_change);
// Throws base::Error where the data's content is another.
void accept_data(const train::SavedState& saved, const Prepared& prepared,
                 const record::RunFolder& folder);

}  // namespace muonlab::run
