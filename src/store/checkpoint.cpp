// Finding and reading checkpoints; they are written in checkpoint_writer.cpp.
#include "muonlab/store/checkpoint.hpp"

#include <algorithm>

#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/text.hpp"
#include "store/checkpoint_names.hpp"
#include "store/manifest.hpp"
#include "store/scan.hpp"

namespace muonlab::store {
namespace {

// Why a checkpoint is not good.
struct Fault {
  std::string text{};
  bool non_finite = false;  // it is whole, but training has left NaN or an infinity in it

  bool found() const { return !text.empty(); }
};

// Of one file. Its values count once its bytes are known to be those that were written.
Fault file_fault(const std::string& name, const std::string& path, const FileDigest& expected,
                 base::FileSystem& files) {
  if (!files.exists(path)) return {name + " is missing"};
  const uint64_t size = files.size(path);
  if (size != expected.size)
    return {base::str(name, " has ", size, " bytes instead of ", expected.size)};
  const Scan scan = scan_file(path, name.ends_with(".safetensors"), files);
  if (scan.hash != expected.hash) return {name + " does not match its hash"};
  if (!scan.fault.empty()) return {name + " " + scan.fault};
  if (scan.non_finite.empty()) return {};
  // Weights and optimizer state from which no training can resume.
  return {base::str(name, " holds values that are not finite, first in ", scan.non_finite), true};
}

// The manifest of a good checkpoint, or the reason why it is none.
Fault read_whole(const std::string& path, base::FileSystem& files, Manifest& manifest) {
  std::string name = kManifestName;
  try {
    if (!files.exists(base::join_path(path, name))) return {name + " is missing"};
    manifest = parse_manifest(base::read_text(base::join_path(path, name), files));
    const auto step = step_of(kComplete, base::base_name(path));
    if (step && *step != manifest.step) {
      return {base::str(name, " is of step ", manifest.step)};
    }
    Fault non_finite;  // told where all files are whole
    for (const auto& [file, digest] : manifest.files) {
      name = file;
      const Fault fault = file_fault(name, base::join_path(path, file), digest, files);
      if (fault.found() && !fault.non_finite) return fault;
      if (!non_finite.found()) non_finite = fault;
    }
    return non_finite;
  } catch (const base::IoError& failure) {
    return {name + " cannot be read (" + failure.what() + ")"};
  } catch (const base::Error& fault) {
    return {name + " " + fault.what()};
  }
}

// A checkpoint with values that are not finite says something about the run, not about the disk.
[[noreturn]] void refuse(bool non_finite, const std::string& message) {
  if (non_finite) throw base::NonFinite(message);
  throw base::Error(message);
}

}  // namespace

std::vector<CheckpointEntry> list_checkpoints(const std::string& folder, base::FileSystem& files) {
  std::map<int64_t, std::string> found;
  if (!files.exists(folder)) return {};
  const std::vector<std::string> names = files.list(folder);
  for (const std::string& name : names) {
    if (const auto step = step_of(kComplete, name)) found[*step] = name;
  }
  for (const std::string& name : names) {
    if (const auto step = step_of(kReplaced, name))
      found.emplace(*step, name);  // only in its absence
  }
  std::vector<CheckpointEntry> entries;
  for (const auto& [step, name] : found) entries.push_back({step, base::join_path(folder, name)});
  return entries;
}

std::string verify_checkpoint(const std::string& path, base::FileSystem& files) {
  Manifest manifest;
  return read_whole(path, files, manifest).text;
}

std::optional<Checkpoint> open_newest_good(const std::string& folder, const Warn& warn,
                                           base::FileSystem& files) {
  std::vector<CheckpointEntry> entries = list_checkpoints(folder, files);
  std::vector<std::string> faults;
  bool diverged = false;
  std::reverse(entries.begin(), entries.end());
  for (const CheckpointEntry& entry : entries) {
    Manifest manifest;
    const Fault fault = read_whole(entry.path, files, manifest);
    if (!fault.found()) {
      for (const std::string& message : faults) {
        if (warn) warn(message + "; using " + base::base_name(entry.path) + " instead");
      }
      return Checkpoint(entry.path, manifest.step, std::move(manifest.files), files);
    }
    faults.push_back(entry.path + ": " + fault.text);
    diverged |= fault.non_finite;
  }
  if (faults.empty()) return std::nullopt;
  refuse(diverged,
         base::str(base::join(faults, "\n"), "\n", folder, ": no checkpoint here is good (",
                   faults.size(), " of ", entries.size(),
                   " damaged or not finite); put one back from a copy, or choose a new run folder "
                   "to start over"));
}

std::optional<CheckpointEntry> newest_good(const std::string& folder, const Warn& warn,
                                           base::FileSystem& files) {
  const std::optional<Checkpoint> found = open_newest_good(folder, warn, files);
  return found ? std::optional(CheckpointEntry{found->step(), found->path()}) : std::nullopt;
}

void remove_stale(const std::string& folder, base::FileSystem& files) {
  if (!files.exists(folder)) return;
  for (const std::string& name : files.list(folder)) {
    const std::string path = base::join_path(folder, name);
    if (step_of(kSaving, name) || step_of(kRemoving, name)) base::remove_tree(path, files);
    if (const auto step = step_of(kReplaced, name)) {
      const std::string successor = base::join_path(folder, checkpoint_name(*step));
      if (files.exists(successor)) {
        base::remove_tree(path, files);
      } else {
        files.rename(path, successor);
        files.sync_directory(folder);
      }
    }
  }
}

Checkpoint::Checkpoint(std::string path, base::FileSystem& files)
    : files_(files), path_(std::move(path)) {
  Manifest manifest;
  const Fault fault = read_whole(path_, files_, manifest);
  if (fault.found()) {
    refuse(fault.non_finite, base::str(path_, ": ", fault.text, "; choose another checkpoint"));
  }
  step_ = manifest.step;
  digests_ = std::move(manifest.files);
}

uint64_t Checkpoint::bytes() const {
  uint64_t sum = 0;
  for (const auto& [name, digest] : digests_) sum += digest.size;
  return sum;
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, digest] : digests_) names.push_back(name);
  return names;
}

std::string Checkpoint::file(const std::string& name) const {
  if (!has(name)) {
    throw base::Error(path_, ": holds no ", name, ", only ", base::join(names(), ", "));
  }
  return base::join_path(path_, name);
}

std::string Checkpoint::read(const std::string& name) const {
  return base::read_text(file(name), files_);
}

SafetensorsFile Checkpoint::safetensors(const std::string& name) const {
  return SafetensorsFile(file(name), files_);
}

}  // namespace muonlab::store
