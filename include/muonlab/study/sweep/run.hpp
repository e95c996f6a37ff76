// `muonlab sweep` as a function.
#pragma once

#include <string>

namespace muonlab::study {

struct SweepRequest {
  std::string file;      // the sweep file
  std::string out;       // the sweep's folder; default: runs/NAME
  int jobs = 0;          // runs at once; 0: usable processors / threads of a cell
  bool dry_run = false;  // say what would run, how long, and what it takes
  std::string only;      // glob on cells' names; empty: all
  // a cell whose settings changed: move its old run aside and run it again
  bool redo_changed = false;
};

// incomplete: cells failed, changed or were left out
enum class SweepOutcome { finished, incomplete, interrupted };

// Runs what is not finished, each cell as a process of its own; prints the answer. Throws
// base::Error.
SweepOutcome run_sweep(const SweepRequest& request);

}  // namespace muonlab::study
