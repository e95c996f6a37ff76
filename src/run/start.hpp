// Where a run starts from, and whether it may.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "muonlab/base/file.hpp"
#include "muonlab/record/changes.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/train/checkpoint.hpp"

namespace muonlab::run {

// Nothing, the run's own newest good checkpoint, or another run's.
struct Start {
  std::optional<train::SavedState> own{}, branch{};
  std::string from{};                     // what --from names, now or when the run was branched
  bool branches_again = false;            // since it was killed before its first checkpoint
  std::vector<record::Change> changes{};  // against `own`
};

// A branch that has no checkpoint of its own yet begins again with the one it was branched from.
// Throws base::Error where a branch cannot be: the run has checkpoints of its own, the one that it
// was branched from is gone or changed, or the model's shape differs. Plans what the start leaves
// of a budget of tokens or epochs.
Start find_start(const record::RunFolder& folder, const std::string& from, Prepared& prepared,
                 base::FileSystem& files);
// "runs/vo_ffn  resumes at step 163 (checkpoint verified, 23.3 MB)".
std::string describe_start(const Start& start, const record::RunFolder& folder);
// Says what changed and refuses what cannot, and (ConfigError) warm-ups and decays that do not fit
// into the steps now planned; fills in start.changes.
void accept_start(Start& start, Prepared& prepared, const record::RunFolder& folder,
                  bool allow_change);
// What to say where the run has no step left to take; empty where it trains on. Throws base::Error
// for a checkpoint of weights alone that training would have to resume from.
std::string describe_if_finished(const Start& start, const Prepared& prepared);
// Loads the start into the session, says what a branch carries over and notes it in origin.json.
void load_start(const Start& start, Session& session, const record::RunFolder& folder,
                base::FileSystem& files);

}  // namespace muonlab::run
