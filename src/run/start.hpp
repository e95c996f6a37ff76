// Where a run starts from, and whether it may.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "muonlab/record/changes.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/store/checkpoint.hpp"

namespace muonlab::run {

// Nothing, its own newest good checkpoint, or another run's.
struct Start {
  std::unique_ptr<store::Checkpoint> own, branch;
};

// Throws base::Error where --from cannot be: the run has checkpoints of its own, or the model's
// shape differs.
Start find_start(const record::RunFolder& folder, const std::string& from, const Prepared& prepared,
                 base::FileSystem& files);
// Compares what is asked, and the build, with what the checkpoint was made with; says what changed,
// refuses what cannot change, and what trains otherwise unless allow_change. Returns the changes.
std::vector<record::Change> accept_changes(const store::Checkpoint& checkpoint,
                                           const Prepared& prepared,
                                           const record::RunFolder& folder, bool allow_change);
// Loads the start into the session and says so.
void begin(const Start& start, const std::string& from, Session& session,
           const record::RunFolder& folder, base::FileSystem& files);

}  // namespace muonlab::run
