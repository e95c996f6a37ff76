// trainer.json of a checkpoint: all of the training state that is not a tensor.
//   {"format":1,"state":{…},"data":identity,"optimizer_of":{parameter:optimizer},
//    "config":{resolved}}
#pragma once

#include <map>
#include <string>

#include "muonlab/config/run.hpp"
#include "muonlab/store/checkpoint.hpp"
#include "muonlab/train/trainer.hpp"

namespace muonlab::train {

struct TrainerFile {
  TrainState state;
  config::RunConfig config;                         // resolved
  std::string data_identity;                        // data::Dataset::identity
  std::map<std::string, std::string> optimizer_of;  // parameter name -> optimizer name
};

std::string trainer_file_text(const Trainer& trainer);
// Throws base::Error naming the file and what is wrong in it.
TrainerFile read_trainer_file(const store::Checkpoint& checkpoint);

}  // namespace muonlab::train
