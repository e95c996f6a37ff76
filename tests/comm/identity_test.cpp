// What launchers say in environment variables.
#include "muonlab/comm/identity.hpp"

#include <map>

#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"

namespace muonlab::comm {
namespace {

Identity identity_of(const std::map<std::string, std::string>& variables) {
  return identity_from([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string refusal(const std::map<std::string, std::string>& variables) {
  try {
    identity_of(variables);
  } catch (const base::Error& error) {
    return error.what();
  }
  return "";
}

TEST(Identity, WithoutALauncherThereIsOneProcess) {
  EXPECT_EQ(identity_of({}).size, 1);
  EXPECT_EQ(identity_of({{"RANK", "3"}}).size, 1) << "half of torchrun's is somebody else's";
  // A batch script of Slurm is one process, whatever the job has asked for.
  EXPECT_EQ(identity_of({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}}).size, 1);
}

TEST(Identity, TorchrunsAgentKeepsTheMeetingPoint) {
  const Identity identity = identity_of({{"RANK", "5"},
                                         {"WORLD_SIZE", "8"},
                                         {"LOCAL_RANK", "1"},
                                         {"LOCAL_WORLD_SIZE", "4"},
                                         {"MASTER_ADDR", "node3"},
                                         {"MASTER_PORT", "29500"},
                                         {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                         {"TORCHELASTIC_RESTART_COUNT", "2"}});
  EXPECT_EQ(identity.rank, 5);
  EXPECT_EQ(identity.size, 8);
  EXPECT_EQ(identity.local_rank, 1);
  EXPECT_EQ(identity.local_size, 4);
  EXPECT_EQ(identity.address, "node3");
  EXPECT_EQ(identity.port, 29500);
  EXPECT_TRUE(identity.launcher_keeps_store);
  EXPECT_EQ(identity.prefix, "2");
}

TEST(Identity, OpenMpiOfOneMachineMeetsThere) {
  std::map<std::string, std::string> variables{{"OMPI_COMM_WORLD_RANK", "1"},
                                               {"OMPI_COMM_WORLD_SIZE", "2"},
                                               {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                               {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                                               {"PMIX_NAMESPACE", "3021"}};
  const Identity identity = identity_of(variables);
  EXPECT_EQ(identity.rank, 1);
  EXPECT_EQ(identity.address, "127.0.0.1");
  EXPECT_GE(identity.port, 20000);
  EXPECT_FALSE(identity.launcher_keeps_store);
  variables["PMIX_NAMESPACE"] = "3022";
  EXPECT_NE(identity_of(variables).port, identity.port) << "two jobs of one machine";
  variables["OMPI_COMM_WORLD_LOCAL_SIZE"] = "1";
  EXPECT_NE(refusal(variables).find("MASTER_ADDR"), std::string::npos) << refusal(variables);
  variables["MASTER_ADDR"] = "node1";
  EXPECT_EQ(identity_of(variables).address, "node1");
}

TEST(Identity, SlurmsFirstNodeIsTheMeetingPoint) {
  const Identity identity = identity_of({{"SLURM_PROCID", "3"},
                                         {"SLURM_STEP_NUM_TASKS", "4"},
                                         {"SLURM_STEP_NUM_NODES", "2"},
                                         {"SLURM_LOCALID", "1"},
                                         {"SLURM_STEP_TASKS_PER_NODE", "2(x2)"},
                                         {"SLURM_STEP_NODELIST", "node[07-08]"},
                                         {"SLURM_JOB_ID", "17"},
                                         {"SLURM_STEP_ID", "0"}});
  EXPECT_EQ(identity.rank, 3);
  EXPECT_EQ(identity.size, 4);
  EXPECT_EQ(identity.local_size, 2);
  EXPECT_EQ(identity.address, "node07");
  EXPECT_EQ(first_host("node[3,5-7],other"), "node3");
  EXPECT_EQ(first_host("alpha,beta"), "alpha");
  EXPECT_EQ(first_host("alone"), "alone");
}

TEST(Identity, AWrongVariableIsNamed) {
  EXPECT_NE(refusal({{"RANK", "x"}, {"WORLD_SIZE", "2"}}).find("RANK is \"x\""), std::string::npos);
  EXPECT_NE(refusal({{"RANK", "0"}, {"WORLD_SIZE", "2"}}).find("MASTER_ADDR"), std::string::npos);
  EXPECT_NE(refusal({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}}).find("MASTER_PORT"),
            std::string::npos);
  EXPECT_NE(refusal({{"RANK", "1"}, {"WORLD_SIZE", "1"}}).find("rank 1 of 1"), std::string::npos);
}

TEST(Identity, ProcessesOfAMachineHaveAGpuEach) {
  const Identity second{.rank = 5, .size = 8, .local_rank = 1, .local_size = 4};
  EXPECT_EQ(own_gpu(second, nullptr), "1");
  EXPECT_EQ(own_gpu(second, "3,5,GPU-7f"), "5");
  EXPECT_EQ(own_gpu(second, "6"), "6") << "by the launcher";
  EXPECT_EQ(own_gpu({.local_rank = 3, .local_size = 4}, "0,1"), "");
}

}  // namespace
}  // namespace muonlab::comm
