#include "muonlab/comm/identity.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::comm {
namespace {

// Ports that are derived from a job's number lie here, below those the kernel hands out.
constexpr int kFirstPort = 20000, kNumPorts = 12000;

class Variables {
 public:
  explicit Variables(const Environment& environment) : environment_(environment) {}

  bool has(const char* name) const { return !text(name).empty(); }
  std::string text(const char* name) const {
    const char* value = environment_(name);
    return value ? value : "";
  }
  int number(const char* name) const {
    const std::string value = text(name);
    if (value.empty()) {
      throw base::Error("the environment variable ", name,
                        " is missing: the launcher of several processes sets it");
    }
    int parsed = 0;
    const char* end = value.data() + value.size();
    const auto [at, failure] = std::from_chars(value.data(), end, parsed);
    if (failure != std::errc() || at != end || parsed < 0)
      throw base::Error("the environment variable ", name, " is \"", value, "\", not a number");
    return parsed;
  }
  int number(const char* name, int otherwise) const { return has(name) ? number(name) : otherwise; }

 private:
  const Environment& environment_;
};

// The same on all processes of a job, and seldom that of another job.
int port_of(const std::string& job) {
  uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : job) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return kFirstPort + static_cast<int>(hash % kNumPorts);
}

// Where the processes meet, of launchers that do not name a place.
void meet(Identity& identity, const Variables& variables, const std::string& host,
          const std::string& job) {
  identity.port = variables.number("MASTER_PORT", port_of(job));
  if (variables.has("MASTER_ADDR")) {
    identity.address = variables.text("MASTER_ADDR");
  } else if (identity.local_size < identity.size) {
    if (host.empty()) {
      throw base::Error("the processes run on several machines: name that of rank 0 in the ",
                        "environment variable MASTER_ADDR of all of them");
    }
    identity.address = host;
  }
}

Identity of_torchrun(const Variables& variables) {
  Identity identity{.rank = variables.number("RANK"), .size = variables.number("WORLD_SIZE")};
  identity.local_rank = variables.number("LOCAL_RANK", identity.rank);
  identity.local_size = variables.number("LOCAL_WORLD_SIZE", identity.size);
  if (identity.size == 1) return identity;
  identity.address = variables.text("MASTER_ADDR");
  if (identity.address.empty())
    throw base::Error("the environment variable MASTER_ADDR is missing: the machine of rank 0");
  identity.port = variables.number("MASTER_PORT");
  identity.launcher_keeps_store = variables.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
  identity.prefix = variables.text("TORCHELASTIC_RESTART_COUNT");
  return identity;
}

Identity of_open_mpi(const Variables& variables) {
  Identity identity{.rank = variables.number("OMPI_COMM_WORLD_RANK"),
                    .size = variables.number("OMPI_COMM_WORLD_SIZE")};
  identity.local_rank = variables.number("OMPI_COMM_WORLD_LOCAL_RANK", identity.rank);
  identity.local_size = variables.number("OMPI_COMM_WORLD_LOCAL_SIZE", identity.size);
  meet(identity, variables, "",
       variables.text("PMIX_NAMESPACE") + variables.text("OMPI_MCA_ess_base_jobid"));
  return identity;
}

Identity of_slurm(const Variables& variables) {
  Identity identity{.rank = variables.number("SLURM_PROCID"),
                    .size = variables.number("SLURM_STEP_NUM_TASKS")};
  const int nodes = variables.number("SLURM_STEP_NUM_NODES", 1);
  identity.local_rank = variables.number("SLURM_LOCALID", identity.rank);
  // "2(x3),1": tasks of each node; only whether they are all on one is asked exactly.
  const std::string tasks = variables.text("SLURM_STEP_TASKS_PER_NODE");
  identity.local_size = nodes == 1 ? identity.size : std::max(1, std::atoi(tasks.c_str()));
  meet(identity, variables, first_host(variables.text("SLURM_STEP_NODELIST")),
       base::str(variables.text("SLURM_JOB_ID"), ".", variables.text("SLURM_STEP_ID")));
  return identity;
}

}  // namespace

std::string own_gpu(const Identity& identity, const char* visible) {
  const auto rank = static_cast<size_t>(identity.local_rank);
  if (visible == nullptr) return std::to_string(rank);
  const std::vector<std::string> gpus = base::split(visible, ',');
  if (gpus.size() == 1) return gpus[0];
  return rank < gpus.size() ? gpus[rank] : "";
}

std::string first_host(const std::string& node_list) {
  const size_t end = node_list.find_first_of("[,");
  if (end == std::string::npos || node_list[end] == ',') return node_list.substr(0, end);
  const size_t close = node_list.find_first_of("-,]", end);
  return node_list.substr(0, end) + node_list.substr(end + 1, close - end - 1);
}

Identity identity_from(const Environment& environment) {
  const Variables variables(environment);
  Identity identity;
  if (variables.has("RANK") && variables.has("WORLD_SIZE")) {
    identity = of_torchrun(variables);
  } else if (variables.has("OMPI_COMM_WORLD_SIZE")) {
    identity = of_open_mpi(variables);
  } else if (variables.has("SLURM_STEP_NUM_TASKS") && variables.has("SLURM_PROCID")) {
    identity = of_slurm(variables);
  }
  if (identity.rank >= identity.size) {
    throw base::Error("the launcher says rank ", identity.rank, " of ", identity.size,
                      " processes; ranks begin at 0");
  }
  return identity;
}

Identity identity_from_environment() {
  return identity_from([](const char* name) -> const char* { return std::getenv(name); });
}

}  // namespace muonlab::comm
