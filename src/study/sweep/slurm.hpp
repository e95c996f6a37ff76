// A sweep's cells as job arrays of Slurm. Each task of an array is an ordinary `muonlab sweep` of
// the same folder that is limited to some cells by --only, so what it does, and what happens when
// it is killed, is what any sweep does.
//
// clang-format off
//   runs/NAME/slurm/searches-1.txt  what each task of the first array trains, a glob a line
//                   cells-1.txt     the same of the second array, which waits for the first
//                   job-1.sh ...    the scripts; what a task prints is JOB_TASK.txt beside them
//                   jobs.json       the arrays of the newest submission
// clang-format on
#pragma once

#include <string>
#include <vector>

#include "muonlab/study/sweep/run.hpp"
#include "muonlab/study/sweep/sweep.hpp"
#include "queue.hpp"

namespace muonlab::study {

// An option string as a shell splits it into words: quotes and backslashes protect blanks. Throws
// base::UsageError where a quote is not closed.
std::vector<std::string> option_words(const std::string& text);

struct SlurmArray {
  std::string job;     // Slurm's number
  std::string script;  // file
  std::string list;    // file
  std::vector<std::string> tasks;
};
// How many tasks of arrays wait and run.
struct SlurmState {
  int64_t pending = 0, running = 0;
};

class SlurmSweep {
 public:
  // options: what the user gives to sbatch. jobs: tasks at once, 0: as many as Slurm allows.
  SlurmSweep(SweepQueue& queue, const SweepRequest& request);

  // The command lines that submit() would run.
  std::vector<std::string> describe();
  // Submits what is to do as up to two arrays: the searches, and after them the cells that need
  // their rates. Throws base::Error with sbatch's own words; nothing is left in the queue then.
  // False where there is nothing to do.
  bool submit();
  // Takes up the newest submission if tasks of it are still in Slurm's queue.
  bool attach();
  // Asks Slurm; the last known answer where it does not reply.
  SlurmState state();
  // "job 17 (searches) and job 18"
  std::string job_names() const;
  // "scancel 17 18"
  std::string cancel_command() const;

 private:
  std::vector<std::string> list_searches() const;
  std::vector<std::string> list_cells();
  std::vector<SlurmArray> arrays();
  std::vector<std::string> command_of(const SlurmArray& array, const std::string& after) const;
  std::string path(const std::string& name) const;
  void write(const SlurmArray& array) const;

  SweepQueue& queue_;
  const SweepRequest& request_;
  std::vector<std::string> options_;
  std::vector<std::string> jobs_;
  SlurmState known_;
};

// Submits the sweep, or takes up an earlier submission, and shows its progress until no task is
// left; submits what is then unfinished as long as that brings it forward. False when a signal
// ended the watching; the tasks continue then.
bool run_on_slurm(SweepQueue& queue, const SweepRequest& request);

}  // namespace muonlab::study
