#include "muonlab/base/cpu.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <set>
#include <sstream>

#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::base {
namespace {

constexpr const char* kCgroupMount = "/sys/fs/cgroup";

// Files under /proc and /sys have no length, so they are streamed. Empty when absent.
std::string read_stream(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

double number_or(const std::string& text, double otherwise) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return end == text.c_str() ? otherwise : value;
}

// Calls visit with the folder of this process's control group and every one above it. A controller
// of v1 has a folder of its own; an empty name means v2. Inside a container the path may be the
// host's: what is absent yields nothing.
void each_cgroup(const std::string& mount, const std::string& self_cgroup,
                 const std::string& controller,
                 const std::function<void(const std::string&)>& visit) {
  for (const std::string& line : split(self_cgroup, '\n')) {
    const std::vector<std::string> fields = split(line, ':');  // id:controllers:path
    if (fields.size() < 3) continue;
    const std::vector<std::string> controllers = split(fields[1], ',');
    if (std::find(controllers.begin(), controllers.end(), controller) == controllers.end())
      continue;
    const std::string root = controller.empty() ? mount : join_path(mount, fields[1]);
    std::string path = line.substr(fields[0].size() + fields[1].size() + 2);
    while (path.size() > 1) {
      visit(root + path);
      path = parent_path(path);
    }
    visit(root);
    if (!controller.empty()) visit(join_path(mount, controller));
  }
}

// The value behind "key : value" in a text of such lines (/proc/cpuinfo).
std::string field_of(const std::string& text, std::string_view key) {
  for (const std::string& line : split(text, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    if (trim(std::string_view(line).substr(0, colon)) == key) {
      return std::string(trim(std::string_view(line).substr(colon + 1)));
    }
  }
  return "";
}

std::string machine() {
  utsname names{};
  return ::uname(&names) == 0 ? names.machine : "unknown processor";
}

}  // namespace

double cgroup_processor_quota(const std::string& mount, const std::string& self_cgroup) {
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&](double quota, double period) {
    if (quota > 0.0 && period > 0.0) least = std::min(least, quota / period);
  };
  each_cgroup(mount, self_cgroup, "", [&](const std::string& folder) {
    const std::vector<std::string> parts =
        split(trim(read_stream(join_path(folder, "cpu.max"))), ' ');
    if (parts.size() == 2) consider(number_or(parts[0], -1.0), number_or(parts[1], -1.0));
  });
  each_cgroup(mount, self_cgroup, "cpu", [&](const std::string& folder) {
    consider(number_or(read_stream(join_path(folder, "cpu.cfs_quota_us")), -1.0),
             number_or(read_stream(join_path(folder, "cpu.cfs_period_us")), -1.0));
  });
  return std::isfinite(least) ? least : 0.0;
}

int usable_processors() {
  int count = 0;
  // A machine with more processors than the set holds answers EINVAL: try larger sets.
  for (int capacity = 1024; capacity <= 1 << 20 && count == 0; capacity *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(capacity));
    const size_t size = CPU_ALLOC_SIZE(static_cast<size_t>(capacity));
    if (set && ::sched_getaffinity(0, size, set) == 0) count = CPU_COUNT_S(size, set);
    CPU_FREE(set);
  }
  if (count == 0) count = static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  const double quota = cgroup_processor_quota(kCgroupMount, read_stream("/proc/self/cgroup"));
  if (quota > 0.0) count = std::min(count, std::max(1, static_cast<int>(std::ceil(quota - 1e-9))));
  return count;
}

uint64_t peak_rss_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

uint64_t usable_memory_bytes() {
  uint64_t bytes = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                   static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::string self = read_stream("/proc/self/cgroup");
  const auto consider = [&](const std::string& file) {
    const double limit = number_or(read_stream(file), 0.0);  // "max" is no number
    if (limit > 0.0 && limit < static_cast<double>(bytes)) bytes = static_cast<uint64_t>(limit);
  };
  each_cgroup(kCgroupMount, self, "",
              [&](const std::string& folder) { consider(join_path(folder, "memory.max")); });
  each_cgroup(kCgroupMount, self, "memory", [&](const std::string& folder) {
    consider(join_path(folder, "memory.limit_in_bytes"));
  });
  return bytes;
}

std::string cpu_model() {
  const std::string model = field_of(read_stream("/proc/cpuinfo"), "model name");
  return model.empty() ? machine() : model;
}

bool has_instruction_set(std::string_view name) {
  static const std::set<std::string, std::less<>> offered = [] {
    const std::string text = read_stream("/proc/cpuinfo");
    std::set<std::string, std::less<>> names;
    for (const char* field : {"flags", "Features"}) {
      for (std::string& flag : split(field_of(text, field), ' ')) names.insert(std::move(flag));
    }
    const char* hidden = std::getenv("MUONLAB_WITHOUT");
    for (const std::string& flag : split(hidden ? hidden : "", ' ')) names.erase(flag);
    return names;
  }();
  return offered.contains(name);
}

bool is_intel() {
  static const bool intel = field_of(read_stream("/proc/cpuinfo"), "vendor_id") == "GenuineIntel";
  return intel;
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> found;
  for (const char* name : {"avx2", "avx512f", "avx512_bf16", "amx_bf16", "sve", "bf16"}) {
    if (has_instruction_set(name)) found.emplace_back(name);
  }
  if (has_instruction_set("asimd")) found.emplace_back("neon");
  return found;
}

std::string isa_summary() {
  const std::vector<std::string> found = instruction_sets();
  return found.empty() ? "baseline" : join(found, " ");
}

}  // namespace muonlab::base
