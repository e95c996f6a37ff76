// `muonlab sweep` as a function.
#pragma once

#include <optional>
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
  // options for sbatch: the cells run as job arrays of Slurm, `jobs` at once (0: no limit), and the
  // sweep watches them
  std::optional<std::string> slurm;
};

enum class SweepOutcome {
  listed,      // a dry run
  finished,    // every wanted cell has run
  incomplete,  // cells failed, changed or were left out, or a search found no rate
  interrupted  // by a signal
};
struct SweepEnd {
  SweepOutcome outcome;
  std::string folder;
};

// Runs what is not finished, each cell as a process of its own. The answer is for the caller to
// print (report/sweep_answer.hpp). Throws base::Error.
SweepEnd run_sweep(const SweepRequest& request);

}  // namespace muonlab::study
