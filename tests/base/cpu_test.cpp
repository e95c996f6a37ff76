#include "muonlab/base/cpu.hpp"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"

namespace muonlab::base {
namespace {

void put(const std::string& path, const std::string& text) {
  make_directories(parent_path(path));
  write_atomically(path, text);
}

TEST(Cgroup, Version2TakesTheTightestLevel) {
  const TemporaryFolder mount;
  const std::string self = "0::/a/b\n";
  EXPECT_EQ(cgroup_processor_quota(mount.path(), self), 0.0);
  put(mount / "a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_processor_quota(mount.path(), self), 0.0);
  put(mount / "a/cpu.max", "250000 100000\n");
  EXPECT_EQ(cgroup_processor_quota(mount.path(), self), 2.5);
  put(mount / "a/b/cpu.max", "400000 100000\n");
  EXPECT_EQ(cgroup_processor_quota(mount.path(), self), 2.5);
  put(mount / "cpu.max", "50000 100000\n");
  EXPECT_EQ(cgroup_processor_quota(mount.path(), self), 0.5);
}

TEST(Cgroup, Version1) {
  const TemporaryFolder mount;
  const std::string self = "5:memory:/x\n4:cpu,cpuacct:/docker/abc\n0::/\n";
  put(mount / "cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1\n");
  put(mount / "cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_processor_quota(mount.path(), self), 0.0);
  put(mount / "cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "150000\n");
  EXPECT_EQ(cgroup_processor_quota(mount.path(), self), 1.5);
}

TEST(Cgroup, InAContainerTheHostsPathIsAbsentAndTheRootCounts) {
  const TemporaryFolder mount;
  put(mount / "cpu/cpu.cfs_quota_us", "300000\n");
  put(mount / "cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_processor_quota(mount.path(), "4:cpu,cpuacct:/docker/abc\n"), 3.0);
}

TEST(Cgroup, NonsenseIsNoQuota) {
  const TemporaryFolder mount;
  put(mount / "cpu.max", "lots\n");
  EXPECT_EQ(cgroup_processor_quota(mount.path(), "0::/\n"), 0.0);
  EXPECT_EQ(cgroup_processor_quota(mount.path(), "garbage"), 0.0);
  EXPECT_EQ(cgroup_processor_quota(mount.path(), ""), 0.0);
}

TEST(Processors, FollowTheAffinityMask) {
  EXPECT_GE(usable_processors(), 1);
  const pid_t child = ::fork();
  if (child == 0) {
    cpu_set_t allowed, one;
    ::sched_getaffinity(0, sizeof allowed, &allowed);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &allowed)) {
        CPU_SET(i, &one);
        break;
      }
    }
    ::sched_setaffinity(0, sizeof one, &one);
    ::_exit(usable_processors());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

TEST(Processors, MemoryIsCounted) {
  const uint64_t before = peak_rss_bytes();
  std::vector<char> block(64 << 20, 1);
  EXPECT_GE(peak_rss_bytes(), before + (32u << 20));
  EXPECT_GT(usable_memory_bytes(), peak_rss_bytes());
}

TEST(Processors, HaveANameAndInstructionSets) {
  EXPECT_FALSE(cpu_model().empty());
  EXPECT_FALSE(isa_summary().empty());
#if defined(__AVX2__)
  EXPECT_NE(isa_summary().find("avx2"), std::string::npos);
#endif
}

}  // namespace
}  // namespace muonlab::base
