// Everything that must survive a crash, beside the weights and the optimizers' tensors. If it is
// not here it is not resumed; if it is here a test compares it. Random numbers are functions of
// (seed, index), so none are stored.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "muonlab/data/mixture.hpp"

namespace muonlab::train {

struct TrainState {
  int64_t step = 0;         // updates done
  int64_t next_sample = 0;  // global index of the first sample of the next step
  int64_t tokens = 0;       // tokens trained on
  double best_val_loss = std::numeric_limits<double>::infinity();
  int64_t best_step = -1;  // -1: none yet
  // length of metrics.jsonl when this state was saved; what follows is cut at resume
  int64_t metrics_bytes = 0;
  // the same for each probe's file, by the probe's name; absent: 0
  std::map<std::string, int64_t> probe_bytes{};
  // data.weights in the order they were in force; empty without a mixture
  std::vector<data::MixtureStretch> mixture{};

  bool operator==(const TrainState&) const = default;
};

// Where validations to come do not compare with those so far.
void forget_best(TrainState& state);

// JSON object, exact round trip.
std::string state_json(const TrainState& state);
// Throws base::Error naming `label` and the missing or wrong field.
TrainState parse_state(const std::string& text, const std::string& label);

}  // namespace muonlab::train
