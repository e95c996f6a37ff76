// What this process may use of the machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muonlab::base {

// Processors in the affinity mask, less what a cgroup quota (v1 or v2, any level above this
// process) forbids, rounded up; at least 1.
int usable_processors();
uint64_t peak_rss_bytes();       // highest resident memory of this process so far
uint64_t usable_memory_bytes();  // physical memory, or the cgroup's limit where lower
std::string cpu_model();         // "AMD EPYC 7763 64-Core Processor", or the architecture's name
// Of avx2, avx512f, avx512_bf16, amx_bf16 (x86-64) or neon, sve, bf16 (aarch64): those the
// processor and kernel offer.
std::vector<std::string> instruction_sets();
// One of them, or any other by its name in /proc/cpuinfo ("avx512vl"). The environment variable
// MUONLAB_WITHOUT ("avx512_bf16 avx512f") hides some, so that one machine can run the path of
// another.
bool has_instruction_set(std::string_view name);
bool is_intel();
std::string isa_summary();  // the same, joined by spaces; "baseline" when none

// The quota in processors read from a folder laid out like /sys/fs/cgroup and a /proc/self/cgroup
// text; 0: none.
double cgroup_processor_quota(const std::string& mount, const std::string& self_cgroup);

}  // namespace muonlab::base
