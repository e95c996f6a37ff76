#include "muonlab/study/sweep/estimate.hpp"

#include <algorithm>

#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/model/model.hpp"
#include "muonlab/ops/gemm_rate.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/plan.hpp"
#include "muonlab/train/step.hpp"

namespace muonlab::study {
namespace {

constexpr double kLongStep_s = 3.0;  // a step expected to take longer is not timed
constexpr double kUsualShare = 0.5;  // of the rate of matrix products that training reaches
constexpr double kPeakProbe_s = 0.3;
constexpr int kTimedSteps = 3;
constexpr uint64_t kBytesPerStep = 450;  // of metrics.jsonl and timing.jsonl

// Of data that are not opened: an epoch has one sample.
train::Plan plan_of(const config::RunConfig& run) {
  return train::make_plan(run, 1, run.eval.samples);
}

double step_flops(const config::RunConfig& run) {
  return static_cast<double>(run.train.batch * run.model.context) *
         model::flops_per_token(run.model);
}

}  // namespace

double run_flops(const config::RunConfig& run) {
  if (!run.model.vocabulary || run.train.epochs || run.train.seconds) return 0;
  const train::Plan plan = plan_of(run);
  const auto steps = static_cast<double>(plan.steps);
  const double validations =
      run.eval.every > 0 ? steps / static_cast<double>(run.eval.every) + 1 : 2;
  const double validation_tokens = static_cast<double>(run.eval.samples * run.model.context);
  // A validation is a forward pass, a third of a step's arithmetic.
  return (static_cast<double>(plan.tokens) + validations * validation_tokens / 3) *
         model::flops_per_token(run.model);
}

int64_t run_memory_bytes(const config::RunConfig& run) {
  return run.model.vocabulary ? plan_of(run).memory_bytes : 0;
}

DiskUse run_disk(const config::RunConfig& run) {
  if (!run.model.vocabulary) return {};
  const train::Plan plan = plan_of(run);
  const auto weights = 4 * static_cast<uint64_t>(plan.num_parameters);
  const uint64_t lines = kBytesPerStep * static_cast<uint64_t>(plan.steps);
  const auto kept = static_cast<uint64_t>(run.checkpoint.keep);
  const bool weights_only = run.checkpoint.final == config::FinalCheckpoint::weights;
  // Two moments at most beside the weights; one checkpoint more exists while it is written.
  return {.running = 3 * weights * (kept + 1) + lines,
          .finished = (weights_only ? weights : 3 * weights * kept) + lines};
}

Rate usual_rate(const config::RunConfig& run) {
  tensor::start_runtime(run.threads.value_or(base::usable_processors()));
  const bool on_gpu = run.device == config::Device::cuda && tensor::cuda_problem().empty();
  const double peak = 1e9 * ops::gemm_peak_gflops(run::usable_precision(run), kPeakProbe_s,
                                                  on_gpu ? at::kCUDA : at::kCPU);
  return {kUsualShare * peak, "half of the measured rate of matrix products"};
}

Rate measure_rate(const config::RunConfig& asked) {
  config::RunConfig run = asked;
  run.train.batch_ramp.clear();  // its first steps would be smaller ones
  const Rate estimate = usual_rate(run);
  if (run.model.vocabulary && step_flops(run) / estimate.flops_per_s > kLongStep_s) return estimate;
  try {
    run::Session session(run::prepare(run));
    std::vector<double> seconds;
    train::train_step(session.trainer());  // warms up
    for (int i = 0; i < kTimedSteps; ++i)
      seconds.push_back(train::train_step(session.trainer()).total_s);
    const config::RunConfig& complete = session.prepared().config;
    return {step_flops(complete) / base::median(seconds),
            base::str("measured on ", kTimedSteps, " steps")};
    // the data are not there, or not this large a memory: the run itself will say so
  } catch (const base::Error&) {
    return estimate;
  }
}

}  // namespace muonlab::study
