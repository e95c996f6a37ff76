// A checkpoint of a run: the whole training state in, the whole training state out (design §6).
#pragma once

#include <string>
#include <vector>

#include "muonlab/store/checkpoint.hpp"
#include "muonlab/train/trainer.hpp"
#include "muonlab/train/trainer_file.hpp"

namespace muonlab::train {

// A verified checkpoint and its trainer.json, read once.
struct SavedState {
  explicit SavedState(store::Checkpoint opened);

  int64_t step() const { return trainer.state.step; }
  // False for a checkpoint of weights alone, from which no run resumes.
  bool has_optimizer_state() const;

  store::Checkpoint checkpoint;
  TrainerFile trainer;
};

// Writes `writer`'s checkpoint: model.safetensors (fp32, Hugging Face names), config.json,
// tokenizer files, optimizer.safetensors, average.safetensors where weights are averaged,
// trainer.json, then commits. Returns the folder.
// weights_only leaves optimizer.safetensors out. Throws NonFinite, with nothing saved, where a
// weight or a value of the optimizers' state is not finite.
std::string save_checkpoint(Trainer& trainer, store::CheckpointWriter&& writer,
                            bool weights_only = false);

// Names of optimizer tensors, without ages: taken over, started at zero, and left unused.
struct CarryOver {
  std::vector<std::string> carried, fresh, dropped;
};
// Reads weights, optimizer tensors and state; everything must match exactly. In a checkpoint from
// before ages were kept every age is the run's step.
void load_checkpoint(const SavedState& saved, Trainer& trainer);
// The same where the optimizers were changed: weights and state must match; a parameter's optimizer
// state is taken over, with its age, where the parameter keeps its rule and tensors of all names
// and shapes exist, and otherwise starts at zero and at age 0.
CarryOver load_changed(const SavedState& saved, Trainer& trainer);
// The same for a branch, which begins records of its own: files are empty, no validation is best.
CarryOver load_branch(const SavedState& saved, Trainer& trainer);
// The tensors of a model.safetensors: views of the arena, and ones for the gains of a QK-norm that
// has none.
std::vector<tensor::NamedTensor> stored_values(const config::ModelConfig& model,
                                               tensor::Arena& arena);
// Weights only, into an arena (eval, sample).
void load_weights(const store::Checkpoint& checkpoint, const config::ModelConfig& model,
                  tensor::Arena& arena);

// The averaged weights in their place, where the checkpoint has them; false where it has none.
bool load_average(const store::Checkpoint& checkpoint, tensor::Arena& arena);

}  // namespace muonlab::train
