// Checkpoints: folders step-00000600 that are complete or do not exist. manifest.json, written
// last, holds the size and XXH3-128 of every file; its last line is the hash of all bytes before
// that line.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "muonlab/base/file.hpp"
#include "muonlab/store/safetensors.hpp"

namespace muonlab::store {

// Saves one checkpoint. Files go into a temporary folder next to the others, each written, checked
// and synced; commit() writes the manifest, syncs the folder, renames it and syncs the parent. When
// anything throws, or commit() is never reached, the temporary folder is removed and the older
// checkpoints are as they were. A checkpoint of the same step is replaced; at every moment the old
// or the new one can be loaded.
class CheckpointWriter {
 public:
  // `folder` (a run's checkpoints/) is made if absent and cleared of stale ones.
  CheckpointWriter(base::FileSystem& files, std::string folder, int64_t step);
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  void add_safetensors(const std::string& name, const std::vector<TensorView>& tensors,
                       const Metadata& metadata = {});
  void add_file(const std::string& name, std::string_view bytes);
  std::string commit();    // the checkpoint's path
  uint64_t bytes() const;  // written so far

 private:
  template <class Work>
  void guarded(const std::string& name, uint64_t needed_bytes, Work work);
  void check_new(const std::string& name) const;
  void abandon() noexcept;

  base::FileSystem& files_;
  std::string folder_;
  int64_t step_;
  std::string temporary_, final_, replaced_;
  std::map<std::string, FileDigest> digests_;
  bool open_ = false;
};

struct CheckpointEntry {
  int64_t step = 0;
  std::string path;
  bool operator==(const CheckpointEntry&) const = default;
};

using Warn = std::function<void(const std::string& message)>;

std::string checkpoint_name(int64_t step);  // step-00000600
// Ascending by step (as numbers). Absent folder: none. Says nothing about their being good.
std::vector<CheckpointEntry> list_checkpoints(const std::string& folder,
                                              base::FileSystem& files = base::real_file_system());

// Reads every byte. Empty when the checkpoint is good: whole, and its weights and optimizer state
// finite. Else the reason ("model.safetensors does not match its hash").
std::string verify_checkpoint(const std::string& path,
                              base::FileSystem& files = base::real_file_system());

// Removes what interrupted saves and removals left. Only the process that writes the run may call
// it.
void remove_stale(const std::string& folder, base::FileSystem& files = base::real_file_system());

// A good checkpoint open for reading: it was verified once, when it was opened.
class Checkpoint {
 public:
  // Throws Error with the reason when it is not good; NonFinite when that is its values.
  explicit Checkpoint(std::string path, base::FileSystem& files = base::real_file_system());

  int64_t step() const { return step_; }
  const std::string& path() const { return path_; }
  uint64_t bytes() const;  // of all files but the manifest
  bool has(const std::string& name) const { return digests_.count(name) != 0; }
  std::vector<std::string> names() const;
  // Its path, or what it holds; these throw Error when the file is not part of the checkpoint.
  std::string file(const std::string& name) const;
  std::string read(const std::string& name) const;
  SafetensorsFile safetensors(const std::string& name) const;

 private:
  friend std::optional<Checkpoint> open_newest_good(const std::string&, const Warn&,
                                                    base::FileSystem&);
  Checkpoint(std::string path, int64_t step, std::map<std::string, FileDigest> digests,
             base::FileSystem& files)
      : files_(files), path_(std::move(path)), step_(step), digests_(std::move(digests)) {}

  base::FileSystem& files_;
  std::string path_;
  int64_t step_ = 0;
  std::map<std::string, FileDigest> digests_;
};

// The newest good checkpoint. Each one on the way that is not is reported through warn. None when
// there are none at all; throws Error when there are some and none is good, since starting over
// would bury them: NonFinite where values that are not finite are among the reasons.
std::optional<Checkpoint> open_newest_good(const std::string& folder, const Warn& warn,
                                           base::FileSystem& files = base::real_file_system());
std::optional<CheckpointEntry> newest_good(const std::string& folder, const Warn& warn,
                                           base::FileSystem& files = base::real_file_system());

}  // namespace muonlab::store
