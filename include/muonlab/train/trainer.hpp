// What a step works on, and the step itself.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "muonlab/config/run.hpp"
#include "muonlab/data/corpus.hpp"
#include "muonlab/model/model.hpp"
#include "muonlab/optim/optimizer.hpp"
#include "muonlab/tensor/parameter.hpp"
#include "muonlab/train/non_finite.hpp"
#include "muonlab/train/plan.hpp"
#include "muonlab/train/state.hpp"

namespace muonlab::train {

// Borrowed parts, put together by the run floor.
struct Trainer {
  const config::RunConfig& config;
  const Plan& plan;
  const data::Dataset& data;
  tensor::Arena& arena;
  model::Model& model;
  optim::Optimizer& optimizer;
  TrainState state;
};

// What one step measured. Everything but the seconds is a function of config, seed and thread
// count.
struct StepRecord {
  int64_t step = 0;
  int64_t tokens = 0;        // trained on so far
  double loss = 0;           // mean over the step's tokens, nats
  double grad_norm = 0;      // global, before clipping
  std::vector<double> lr{};  // in the order of Optimizer::names()
  double forward_s = 0, backward_s = 0, optimizer_s = 0, total_s = 0;
};

// One update: micro-batches forward and backward, gradient norm, clipping, optimizers. Throws
// NonFinite before the update, with weights and optimizer state untouched.
StepRecord train_step(Trainer& trainer);

struct Batch {
  at::Tensor tokens_bt, targets_bt;  // int64 [b, t]
};
// Samples first .. first + count - 1; `window` reads validation windows in file order instead.
Batch read_batch(const data::Corpus& corpus, int64_t first, int64_t count, int64_t context,
                 bool window, at::Device device);

// Euclidean norm of a flat tensor, summed in double over fixed blocks: the same bits for any number
// of threads.
double global_norm(const at::Tensor& flat);

struct Evaluation {
  double loss = 0;           // mean nats a token
  double perplexity = 0;     // exp(loss)
  double bits_per_byte = 0;  // loss in bits a byte of text
};
// Over the first plan.eval_windows validation windows.
Evaluation evaluate(Trainer& trainer);
Evaluation evaluate(model::Model& model, const data::Dataset& data, int64_t windows,
                    int64_t micro_batch, int64_t context, at::Device device);

}  // namespace muonlab::train
