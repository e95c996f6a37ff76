// Numbers derived from the configuration and the data, fixed for a run, printed and stored as
// plan.json.
#pragma once

#include <cstdint>
#include <string>

#include "muonlab/config/batch_sizes.hpp"
#include "muonlab/config/run.hpp"
#include "muonlab/data/corpus.hpp"
#include "muonlab/train/state.hpp"

namespace muonlab::train {

struct Plan {
  int64_t steps = 0;   // updates in the whole run
  int64_t tokens = 0;  // trained on when the run ends
  // Of a step; where the batch grows, of the largest, at the end.
  int64_t batch = 0;        // samples
  int64_t micro_batch = 0;  // samples a forward pass, in every step
  int64_t num_micro_batches = 0;
  int64_t context = 0;  // tokens a sample
  int64_t tokens_per_step = 0;
  config::BatchSizes batches{};
  int64_t samples_per_epoch = 0;
  int64_t eval_windows = 0;  // validation windows used, at most what the data holds
  int64_t num_parameters = 0;
  int64_t num_matrix_parameters = 0;
  // estimate of the peak: weights, gradients, moments, shadows, activations
  int64_t memory_bytes = 0;
  double epochs = 0;

  // Of one step, counted from 1.
  int64_t micro_batches_of(int64_t step) const { return batches.at(step) / micro_batch; }
  int64_t tokens_of(int64_t step) const { return batches.at(step) * context; }
};

// Puts a number in the place of a train.micro_batch of "auto": the largest with which the estimate
// leaves a tenth of `usable_bytes`, what it may be off, and that divides the batch of every stage
// into micro-batches which so many processes can share; the smallest such number where none leaves
// so much. REQUIRES: a vocabulary.
void choose_micro_batch(config::RunConfig& run, uint64_t usable_bytes, int processes);

// `done` is what a resumed run or a branch has behind it. A length in tokens or epochs is a budget
// for the whole run: what `done` has left of it is filled with steps of the batch asked for now,
// the last one rounded up, so that no run ends short of what was asked. Throws base::Error when the
// data is too short for the context or for one step. What is not chosen yet counts as 1: a
// micro-batch, and the steps that fill train.seconds.
Plan make_plan(const config::RunConfig& run, const data::Dataset& data,
               const TrainState& done = {});
// The same from the numbers of samples of an epoch and of validation windows, for data that are not
// opened.
Plan make_plan(const config::RunConfig& run, int64_t samples_per_epoch, int64_t validation_windows,
               const TrainState& done = {});
// Refuses a run whose estimate is above the memory there is, before anything is allocated. Throws
// base::Error naming both and the settings that weigh most.
void check_memory(const Plan& plan, const config::RunConfig& run, uint64_t usable_bytes);
std::string plan_json(const Plan& plan);

}  // namespace muonlab::train
