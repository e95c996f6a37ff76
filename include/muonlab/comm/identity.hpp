// Which of the processes of a run this one is, as its launcher says in environment variables.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace muonlab::comm {

struct Identity {
  int rank = 0, size = 1;              // of all processes
  int local_rank = 0, local_size = 1;  // of those on this machine
  std::string address = "127.0.0.1";   // where the processes meet
  int port = 0;
  // Whether the launcher keeps the meeting point itself; otherwise rank 0 does.
  bool launcher_keeps_store = false;
  std::string prefix{};  // of the keys at the meeting point; differs between restarts
};

// A variable's value, or null.
using Environment = std::function<const char*(const char* name)>;

// Understands torchrun (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, the agent's store), Open MPI
// (OMPI_COMM_WORLD_*) and Slurm's srun (SLURM_PROCID, SLURM_STEP_NUM_TASKS); `muonlab train
// --processes` sets torchrun's. Where none of them started several processes: one process.
// MASTER_ADDR and MASTER_PORT win over what Open MPI and Slurm say. Throws base::Error for a
// variable that is missing or is no number, naming it.
Identity identity_from(const Environment& environment);
Identity identity_from_environment();

// CUDA_VISIBLE_DEVICES of a process that shares its machine with others of the run, so that each
// has a GPU of its own: the entry of its local rank in `visible`, the variable's value (null: all
// GPUs). One that names a single GPU stays, as the launcher chose it. Empty where there are fewer.
std::string own_gpu(const Identity& identity, const char* visible);

// The first name of a Slurm node list: "node[03-05,9],other" gives "node03".
std::string first_host(const std::string& node_list);

}  // namespace muonlab::comm
