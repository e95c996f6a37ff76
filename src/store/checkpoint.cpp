// Finding and reading checkpoints; they are written in checkpoint_writer.cpp.
#include "muonlab/store/checkpoint.hpp"

#include <algorithm>
#include <memory>

#include "muonlab/base/text.hpp"
#include "store/checkpoint_names.hpp"
#include "store/manifest.hpp"

namespace muonlab::store {
namespace {

constexpr size_t kPiece = size_t{1} << 20;

// Read in pieces, not mapped: what happens to the file meanwhile is a wrong hash, nothing worse.
base::Hash128 hash_file(const std::string& path, uint64_t size, base::FileSystem& files) {
  const auto piece = std::make_unique_for_overwrite<std::byte[]>(std::min<uint64_t>(size, kPiece));
  base::Hasher hasher;
  for (uint64_t done = 0; done < size;) {
    const size_t length = static_cast<size_t>(std::min<uint64_t>(size - done, kPiece));
    const size_t got = files.read(path, done, std::span(piece.get(), length));
    if (got == 0) break;
    hasher.add(std::span<const std::byte>(piece.get(), got));
    done += got;
  }
  return hasher.finish();
}

std::string file_fault(const std::string& path, const FileDigest& expected,
                       base::FileSystem& files) {
  if (!files.exists(path)) return "is missing";
  const uint64_t size = files.size(path);
  if (size != expected.size) return base::str("has ", size, " bytes instead of ", expected.size);
  return hash_file(path, size, files) == expected.hash ? "" : "does not match its hash";
}

// The manifest of a whole checkpoint, or the reason why it is none.
std::string read_whole(const std::string& path, base::FileSystem& files, Manifest& manifest) {
  std::string name = kManifestName;
  try {
    if (!files.exists(base::join_path(path, name))) return name + " is missing";
    manifest = parse_manifest(base::read_text(base::join_path(path, name), files));
    const auto step = step_of(kComplete, base::base_name(path));
    if (step && *step != manifest.step) {
      return base::str(name, " is of step ", manifest.step);
    }
    for (const auto& [file, digest] : manifest.files) {
      name = file;
      const std::string fault = file_fault(base::join_path(path, file), digest, files);
      if (!fault.empty()) return name + " " + fault;
    }
    return "";
  } catch (const base::IoError& failure) {
    return name + " cannot be read (" + failure.what() + ")";
  } catch (const base::Error& fault) {
    return name + " " + fault.what();
  }
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
  return read_whole(path, files, manifest);
}

std::optional<CheckpointEntry> newest_good(const std::string& folder, const Warn& warn,
                                           base::FileSystem& files) {
  std::vector<CheckpointEntry> entries = list_checkpoints(folder, files);
  std::vector<std::string> faults;
  std::reverse(entries.begin(), entries.end());
  for (const CheckpointEntry& entry : entries) {
    const std::string fault = verify_checkpoint(entry.path, files);
    if (fault.empty()) {
      for (const std::string& message : faults) {
        if (warn) warn(message + "; using " + base::base_name(entry.path) + " instead");
      }
      return entry;
    }
    faults.push_back(entry.path + ": " + fault);
  }
  if (faults.empty()) return std::nullopt;
  throw base::Error(
      base::join(faults, "\n"), "\n", folder, ": no checkpoint here is whole (", faults.size(),
      " damaged); put one back from a copy, or choose a new run folder to start over");
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
  const std::string fault = read_whole(path_, files_, manifest);
  if (!fault.empty()) throw base::Error(path_, ": ", fault, "; choose another checkpoint");
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
