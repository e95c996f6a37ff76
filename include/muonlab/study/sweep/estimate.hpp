// What a run will take, before it is started.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "muonlab/config/run.hpp"

namespace muonlab::study {

// Arithmetic of training and validation: steps x tokens x FLOPs a token. 0 where the length is
// given in epochs.
double run_flops(const config::RunConfig& run);
// Peak memory; 0 where the vocabulary is not known without the data.
int64_t run_memory_bytes(const config::RunConfig& run);
// Largest size of a run's folder while it trains, and its size when it is finished.
struct DiskUse {
  uint64_t running = 0, finished = 0;  // bytes
};
DiskUse run_disk(const config::RunConfig& run);

// FLOP/s of a run on this machine, and how it is known.
struct Rate {
  double flops_per_s = 0;
  std::string source;  // "measured on 3 steps", "half of the measured rate of matrix products"
};
// The share of the rate of matrix products that training usually reaches; takes a third of a
// second.
Rate usual_rate(const config::RunConfig& run);
// Times a few real steps where the data are there and a step is short; else takes the rate of
// matrix products.
Rate measure_rate(const config::RunConfig& run);

}  // namespace muonlab::study
