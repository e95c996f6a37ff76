// A checkpoint of a run: the whole training state in, the whole training state out (design §6).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "muonlab/store/checkpoint.hpp"
#include "muonlab/train/trainer.hpp"

namespace muonlab::train {

// trainer.json:
// {"format":1,"state":{…},"config":{resolved},"data":identity,"optimizer_of":{parameter:optimizer}}
struct TrainerFile {
  TrainState state;
  std::string config_text;                          // resolved configuration, JSON
  std::string data_identity;                        // data::Dataset::identity
  std::map<std::string, std::string> optimizer_of;  // parameter name -> optimizer name
};
TrainerFile read_trainer_file(const store::Checkpoint& checkpoint);

// Writes `writer`'s checkpoint: model.safetensors (fp32, Hugging Face names), config.json,
// tokenizer files, optimizer.safetensors, trainer.json, then commits. Returns the folder.
// weights_only leaves optimizer.safetensors out.
std::string save_checkpoint(Trainer& trainer,
                            const std::map<std::string, std::string>& optimizer_of,
                            store::CheckpointWriter&& writer, bool weights_only = false);
// False for a checkpoint of weights alone, from which no run goes on.
bool has_optimizer_state(const store::Checkpoint& checkpoint);

// Reads weights, optimizer tensors and state; everything must match exactly. In a checkpoint from
// before ages were kept every age is the run's step.
void load_checkpoint(const store::Checkpoint& checkpoint, Trainer& trainer);
// Weights only, into an arena (eval, sample).
void load_weights(const store::Checkpoint& checkpoint, const config::ModelConfig& model,
                  tensor::Arena& arena);

// A branch: weights must match; a parameter's optimizer state is taken over, with its age, where
// tensors of all its names and shapes exist, and otherwise starts at zero and at age 0. Without
// optimizer state all are fresh.
struct CarryOver {
  std::vector<std::string> carried, fresh, dropped;  // names of optimizer tensors, without ages
};
CarryOver load_branch(const store::Checkpoint& checkpoint, Trainer& trainer);

}  // namespace muonlab::train
