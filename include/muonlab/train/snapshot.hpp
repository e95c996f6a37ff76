// What a checkpoint of a run holds, apart from the trainer: as views for a save at once, or as
// copies that are written while training continues.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "muonlab/store/checkpoint.hpp"
#include "muonlab/train/trainer.hpp"

namespace muonlab::train {

struct Snapshot {
  int64_t step = 0;
  bool weights_only = false;  // without the optimizers' state
  // On the CPU. No average: nothing is averaged.
  std::vector<tensor::NamedTensor> weights{}, average{}, optimizer{};
  std::vector<std::pair<std::string, std::string>> files{};  // name, bytes: all that is no tensor
};

// The state as it is; on a CPU the tensors are the trainer's own. Throws NonFinite where a weight
// or a value of the optimizers' state is not finite.
Snapshot view_state(Trainer& trainer, bool weights_only);
// The same copied into `memory`, which is made where it is too small, pinned where the state is on
// a GPU. The snapshot is good until `memory` is used again.
Snapshot copy_state(Trainer& trainer, bool weights_only, at::Tensor& memory);

// Commits the snapshot as `writer`'s checkpoint and returns its folder. Touches nothing of the
// trainer.
std::string write_snapshot(const Snapshot& snapshot, store::CheckpointWriter&& writer);

}  // namespace muonlab::train
