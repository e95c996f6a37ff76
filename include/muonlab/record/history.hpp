// history.jsonl of a run: a line for every start of its training and one for every end.
//   {"event":"start","step":163,"build":{"commit":"…"},
//    "changes":[{"path":"optimizers.adam.lr","before":"0.001","after":"0.002","kind":"training"}]}
//   {"event":"end","step":400,"outcome":"finished"}
// The configuration in force at a step is the stored one with the changes after that step undone,
// which distinguishes a run whose settings were changed from one that a single command reproduces.
// Runs of versions that did not write this file have none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/base/file.hpp"
#include "muonlab/record/changes.hpp"

namespace muonlab::record {

struct RunStart {
  int64_t step = 0;                            // updates already done
  std::vector<Change> changes{};               // against the checkpoint that it starts from
  std::map<std::string, std::string> build{};  // the facts of build.json, by name
};

enum class RunOutcome { finished, interrupted, diverged, failed };

struct RunEnd {
  int64_t step = 0;
  RunOutcome outcome = RunOutcome::finished;
  // What is wrong with a run that finished: its loss ended above that of guessing. Else empty.
  std::string warning{};
};

struct History {
  std::vector<RunStart> starts;
  std::optional<RunEnd> end{};  // of the last start; absent while it runs or after a kill

  // Changes after which no single command makes this run (all but ChangeClass::safe), by the step
  // they were made at. A start does not count if a later one repeated all of its steps.
  std::vector<RunStart> changed() const;
  // The facts of the build that made the checkpoint of a step; empty where they are not known.
  std::map<std::string, std::string> build_before(int64_t step) const;
};

// An absent file gives an empty history. Lines that muonlab did not write are skipped.
History read_history(const std::string& path);
// One durable line. `path` is RunFolder::history().
void append_start(const std::string& path, const RunStart& start,
                  base::FileSystem& files = base::real_file_system());
void append_end(const std::string& path, const RunEnd& end,
                base::FileSystem& files = base::real_file_system());

}  // namespace muonlab::record
