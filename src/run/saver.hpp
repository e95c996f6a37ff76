// The checkpoints of a run that trains: written by a thread while training continues.
#pragma once

#include <future>
#include <string>

#include <ATen/core/Tensor.h>

#include "muonlab/base/file.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/train/trainer.hpp"

namespace muonlab::run {

struct Saved {
  std::string path;
  double seconds = 0;  // from the copy of the state to the end of the save
};

// A save leaves the checkpoint of the state that it began with, byte for byte as save_state() does;
// a process that ends meanwhile leaves the older checkpoints. Destruction waits for it.
class Saver {
 public:
  Saver(train::Trainer& trainer, const record::RunFolder& folder, base::FileSystem& files)
      : trainer_(trainer), folder_(folder.checkpoints()), files_(files) {}

  // Copies the state, which takes memory for a second one, and starts to write it. Throws NonFinite
  // where the state is not finite. REQUIRES: !is_busy().
  void begin();
  bool is_busy() const { return writing_.valid(); }
  bool has_ended() const;
  // Waits for the end of a save and throws what stopped it. REQUIRES: is_busy().
  Saved wait() { return writing_.get(); }

 private:
  train::Trainer& trainer_;
  std::string folder_;
  base::FileSystem& files_;
  at::Tensor memory_;  // of the copies, kept from save to save
  std::future<Saved> writing_;
};

// Saves the present state as a checkpoint in `folder` and removes what the settings do not keep.
// Returns the checkpoint's path.
std::string save_state(train::Trainer& trainer, const record::RunFolder& folder,
                       base::FileSystem& files);

}  // namespace muonlab::run
