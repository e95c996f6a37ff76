// Starts the processes of a run on one machine, without torchrun, mpirun or srun.
#pragma once

#include <string>
#include <vector>

namespace muonlab::comm {

// Starts `command` (a program's path and its arguments) so many times, with torchrun's variables
// in the environment and the meeting point kept by this process, and waits for all. Signals that
// ask for an orderly end are passed on; SIGTSTP (Ctrl-Z) stops all of them and this process, which
// continue together; the processes get SIGTERM when this one dies. Where one ends with an error,
// those that still wait for it to come are told, and the others have `patience_s` and a few seconds
// more to notice, then they are killed. Returns the exit code of rank 0, or of the first other
// process that failed where rank 0 did not; 128 + N after signal N. Throws base::Error where a
// process cannot be started.
int launch(const std::vector<std::string>& command, int processes, double patience_s);
// The words with which this process was started, its program's file first.
std::vector<std::string> own_command();

}  // namespace muonlab::comm
