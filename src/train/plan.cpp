#include "muonlab/train/plan.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/train/gradient_sum.hpp"
#include "train/device_memory.hpp"

namespace muonlab::train {
namespace {

// A shape may be too large for any machine, and for int64.
int64_t saturated(double value) {
  return value < 9e18 ? static_cast<int64_t>(value) : int64_t{9'000'000'000'000'000'000};
}

int64_t planned_steps(const config::TrainConfig& train, const Plan& plan, const TrainState& done) {
  if (train.steps) return *train.steps;
  if (train.seconds) return done.step + 1;
  if (train.tokens) {
    const int64_t left = *train.tokens - done.tokens;
    const int64_t samples = left / plan.context + (left > 0 && left % plan.context != 0);
    return done.step + plan.batches.steps_for(samples, done.step);
  }
  const double samples = train.epochs.value_or(1.0) * static_cast<double>(plan.samples_per_epoch);
  const int64_t budget = saturated(std::ceil(samples * (1 - 1e-12)));  // 0.1 * 30 is 3
  return std::max<int64_t>(
      1, done.step + plan.batches.steps_for(budget - done.next_sample, done.step));
}

// Of everything that grows with the number of parameters.
double weight_bytes(const config::RunConfig& run, const Plan& plan) {
  const double value_bytes = run.precision == config::Precision::bf16 ? 2.5 : 4.0;
  const double average_bytes = run.train.average > 0 ? 8.0 : 0.0;  // and the weights set aside
  // Of weights and moments, which are written while training continues.
  const bool saves_often = run.checkpoint.every > 0 || run.checkpoint.best;
  const double copy_bytes = saves_often && run.device != config::Device::cuda ? 12.0 : 0.0;
  const double sum_bytes = gradient_sum_bytes(run.train, plan.num_micro_batches);
  return static_cast<double>(plan.num_parameters) *
         (4.0 * 4.0 + value_bytes + average_bytes + copy_bytes + sum_bytes);
}

// Weights, gradients, two moments at most, a bf16 or packed fp32 shadow; activations of one
// micro-batch: about 14 values of the width and 4 of the feed-forward a token and layer, and one
// chunk of logits.
int64_t estimate_memory(const config::RunConfig& run, const Plan& plan) {
  if (run.device == config::Device::cuda && run.kernels == config::Kernels::fused)
    return saturated(device_memory_bytes(run, plan));
  const config::ModelConfig& model = run.model;
  const double value_bytes = run.precision == config::Precision::bf16 ? 2.5 : 4.0;
  const double tokens = static_cast<double>(plan.micro_batch * plan.context);
  const double activations =
      tokens * static_cast<double>(model.layers) *
      (14.0 * static_cast<double>(model.width) + 4.0 * static_cast<double>(*model.ffn_width)) *
      value_bytes;
  const double logits = std::min(tokens, 2048.0) * static_cast<double>(*model.vocabulary) * 4.0;
  const double runtime = 300e6;  // LibTorch itself, measured
  return saturated(runtime + weight_bytes(run, plan) + activations + logits);
}

}  // namespace

Plan make_plan(const config::RunConfig& run, const data::Dataset& data, const TrainState& done) {
  return make_plan(run, data.train->samples_per_epoch(), data.valid->samples_per_epoch(), done);
}

Plan make_plan(const config::RunConfig& run, int64_t samples_per_epoch, int64_t validation_windows,
               const TrainState& done) {
  Plan plan;
  plan.batch = run.train.batch;
  plan.batches = config::BatchSizes(run);
  plan.micro_batch = std::max<int64_t>(1, *run.train.micro_batch);
  plan.num_micro_batches = plan.batch / plan.micro_batch;
  plan.context = run.model.context;
  plan.tokens_per_step = plan.batch * plan.context;
  plan.samples_per_epoch = samples_per_epoch;
  plan.steps = planned_steps(run.train, plan, done);
  const int64_t samples_left = plan.batches.samples(done.step, plan.steps);
  plan.tokens = done.tokens + samples_left * plan.context;
  plan.epochs = static_cast<double>(done.next_sample + samples_left) /
                static_cast<double>(plan.samples_per_epoch);
  plan.eval_windows = std::min(run.eval.samples, validation_windows);
  double parameters = 0, matrix_parameters = 0;  // exact up to 2^53
  for (const config::ParameterSpec& spec : config::parameter_specs(run.model)) {
    parameters += static_cast<double>(spec.count());
    if (config::is_matrix_role(spec.role)) matrix_parameters += static_cast<double>(spec.count());
  }
  plan.num_parameters = saturated(parameters);
  plan.num_matrix_parameters = saturated(matrix_parameters);
  plan.memory_bytes = estimate_memory(run, plan);
  return plan;
}

void choose_micro_batch(config::RunConfig& run, uint64_t usable_bytes, int processes) {
  if (run.train.micro_batch != config::kAutomatic) return;
  int64_t largest = run.train.batch;
  for (const config::BatchStage& stage : run.train.batch_ramp)
    largest = std::gcd(largest, stage.batch);
  const double budget = 0.9 * static_cast<double>(usable_bytes);
  config::RunConfig tried = run;
  for (int64_t size = largest; size >= 1; --size) {
    if (largest % size != 0 || largest / size % processes != 0) continue;
    tried = run;
    tried.train.micro_batch = size;
    if (tried.train.accumulates() && !tried.train.reduction)
      tried.train.reduction = config::Reduction::exact;
    const Plan plan = make_plan(tried, 1, run.eval.samples);  // of any data
    if (static_cast<double>(plan.memory_bytes) <= budget) break;
  }
  run.train.micro_batch = std::max<int64_t>(1, *tried.train.micro_batch);
}

void check_memory(const Plan& plan, const config::RunConfig& run, uint64_t usable_bytes) {
  const auto needed = static_cast<uint64_t>(plan.memory_bytes);
  if (needed <= usable_bytes) return;
  const bool weights_alone = weight_bytes(run, plan) > static_cast<double>(usable_bytes) / 2;
  throw base::Error(
      "memory: the run takes about ", base::human_bytes(needed), ", this ",
      run.device == config::Device::cuda ? "GPU has " : "machine has ",
      base::human_bytes(usable_bytes), "; lower ",
      weights_alone
          ? base::str("model.width, model.layers or the vocabulary (the weights with gradients ",
                      "and moments alone are ",
                      base::human_bytes(static_cast<uint64_t>(saturated(weight_bytes(run, plan)))),
                      ")")
          : base::str("train.micro_batch (", plan.micro_batch, ") or model.context (", plan.context,
                      ")"));
}

std::string plan_json(const Plan& plan) {
  nlohmann::ordered_json json{{"steps", plan.steps},
                              {"tokens", plan.tokens},
                              {"batch", plan.batch},
                              {"micro_batch", plan.micro_batch},
                              {"num_micro_batches", plan.num_micro_batches},
                              {"context", plan.context},
                              {"tokens_per_step", plan.tokens_per_step},
                              {"samples_per_epoch", plan.samples_per_epoch},
                              {"epochs", plan.epochs},
                              {"eval_windows", plan.eval_windows},
                              {"num_parameters", plan.num_parameters},
                              {"num_matrix_parameters", plan.num_matrix_parameters},
                              {"memory_bytes", plan.memory_bytes}};
  if (plan.batches.grow()) {
    for (const config::BatchSizes::Stage& stage : plan.batches.stages())
      json["stages"].push_back({{"first_step", stage.first_step}, {"batch", stage.batch}});
  }
  return json.dump(2) + "\n";
}

}  // namespace muonlab::train
