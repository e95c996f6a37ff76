// Estimates of the time, memory and disk that a run will take.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "muonlab/config/run.hpp"

namespace muonlab::study {

// What the data decide of a run, without opening them whole: from the headers of shards, or from a
// tokenizer's file. Remembers what it has read.
class DataSizes {
 public:
  // The run with the vocabulary, and the steps of a length in epochs, filled in where they are
  // known; data that cannot be read leave them open.
  config::RunConfig complete(config::RunConfig run);

 private:
  struct Size {
    int64_t vocabulary = 0, num_tokens = 0;  // 0: not known
  };
  static Size read(const config::DataConfig& data);
  std::map<std::string, Size> sizes_;  // by what the data section says
};

// Arithmetic of training and validation: steps x tokens x FLOPs a token. 0 where the vocabulary or
// the number of steps is not known (DataSizes).
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
