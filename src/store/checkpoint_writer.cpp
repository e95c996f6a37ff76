#include "muonlab/base/text.hpp"
#include "muonlab/store/checkpoint.hpp"
#include "store/checkpoint_names.hpp"
#include "store/manifest.hpp"

namespace muonlab::store {
namespace {

FileDigest write_file(base::FileSystem& files, const std::string& path, std::string_view bytes) {
  auto file = files.create(path);
  file->write_text(bytes);
  file->sync();
  file->close();
  return {bytes.size(), base::hash_text(bytes)};
}

}  // namespace

std::string checkpoint_name(int64_t step) { return step_name(kComplete, step); }

CheckpointWriter::CheckpointWriter(base::FileSystem& files, std::string folder, int64_t step)
    : files_(files),
      folder_(std::move(folder)),
      step_(step),
      temporary_(base::join_path(folder_, step_name(kSaving, step))),
      final_(base::join_path(folder_, checkpoint_name(step))),
      replaced_(base::join_path(folder_, step_name(kReplaced, step))) {
  base::check(step >= 0, "a checkpoint of a negative step");
  guarded("", 0, [&] {
    base::make_directories(folder_, files_);
    remove_stale(folder_, files_);
    files_.make_directory(temporary_);
  });
}

CheckpointWriter::~CheckpointWriter() {
  if (open_) abandon();
}

template <class Work>
void CheckpointWriter::guarded(const std::string& name, uint64_t needed_bytes, Work work) {
  open_ = true;
  try {
    work();
  } catch (const base::IoError& failure) {
    abandon();
    std::string need;
    if (needed_bytes > 0 && !name.empty()) {
      need = base::str("; ", name, " takes ", base::human_bytes(needed_bytes), " (", needed_bytes,
                       " bytes)");
    }
    throw base::IoError(base::str("the checkpoint of step ", step_, " was not saved: ",
                                  failure.what(), need, "; older checkpoints are as they were"),
                        failure.number());
  } catch (...) {
    abandon();
    throw;
  }
}

void CheckpointWriter::abandon() noexcept {
  open_ = false;
  try {
    base::remove_tree(temporary_, files_);
    if (!files_.exists(final_) && files_.exists(replaced_)) {
      files_.rename(replaced_, final_);
      files_.sync_directory(folder_);
    }
  } catch (...) {
    // Whatever stopped the save may stop this too; what is left over is removed by remove_stale().
  }
}

void CheckpointWriter::add_safetensors(const std::string& name,
                                       const std::vector<TensorView>& tensors,
                                       const Metadata& metadata) {
  check_new(name);
  guarded(name, safetensors_size(tensors, metadata), [&] {
    digests_[name] =
        write_safetensors(files_, base::join_path(temporary_, name), tensors, metadata);
  });
}

void CheckpointWriter::add_file(const std::string& name, std::string_view bytes) {
  check_new(name);
  guarded(name, bytes.size(),
          [&] { digests_[name] = write_file(files_, base::join_path(temporary_, name), bytes); });
}

void CheckpointWriter::check_new(const std::string& name) const {
  base::check(open_, "a file for a checkpoint that is closed");
  base::check(base::is_bare_name(name) && name != kManifestName && digests_.count(name) == 0,
              "a bad or repeated name in a checkpoint: " + name);
}

uint64_t CheckpointWriter::bytes() const {
  uint64_t sum = 0;
  for (const auto& [name, digest] : digests_) sum += digest.size;
  return sum;
}

std::string CheckpointWriter::commit() {
  base::check(open_, "a checkpoint is committed twice");
  const std::string manifest = manifest_text({step_, digests_});
  guarded(kManifestName, manifest.size(), [&] {
    write_file(files_, base::join_path(temporary_, kManifestName), manifest);
    files_.sync_directory(temporary_);
    if (files_.exists(final_)) {
      files_.rename(final_,
                    replaced_);  // list_checkpoints() takes it for its step until the next rename
      files_.sync_directory(folder_);
    }
    files_.rename(temporary_, final_);
    files_.sync_directory(folder_);
  });
  open_ = false;
  try {
    base::remove_tree(replaced_, files_);
  } catch (const base::Error&) {  // the checkpoint stands; remove_stale() will try again
  }
  return final_;
}

}  // namespace muonlab::store
