// The batch of every step of a run: train.batch, or the stages of train.batch_ramp before it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "muonlab/config/run.hpp"

namespace muonlab::config {

class BatchSizes {
 public:
  struct Stage {
    int64_t first_step;  // from 1
    int64_t batch;       // samples a step
    bool operator==(const Stage&) const = default;
  };

  BatchSizes() = default;
  // A stage whose length in tokens or as a fraction rounds to no step is left out, and neighbours
  // with equal batches are one stage. REQUIRES: checked.
  explicit BatchSizes(const RunConfig& run);

  const std::vector<Stage>& stages() const { return stages_; }
  bool grow() const { return stages_.size() > 1; }
  // The batch of a step (from 1).
  int64_t at(int64_t step) const;
  // Samples that the steps first + 1 … last take.
  int64_t samples(int64_t first, int64_t last) const;
  // Steps after step `done` that take so many samples, the last one rounded up; for a negative
  // number, steps too many, as a negative number.
  int64_t steps_for(int64_t samples, int64_t done = 0) const;
  // "8 in 100 steps, 16 in 50 steps, then 32"; "32" where it does not grow.
  std::string text() const;

 private:
  std::vector<Stage> stages_{{1, 1}};
};

}  // namespace muonlab::config
