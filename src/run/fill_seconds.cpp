#include "fill_seconds.hpp"

#include <algorithm>
#include <cmath>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/train/step.hpp"

namespace muonlab::run {
namespace {

constexpr double kShare = 0.05, kMost_s = 10;
constexpr int64_t kNoEnd = 1'000'000'000;

struct Pace {
  double step_s;
  int num_steps;
};

// Of steps of the largest batch whose learning rates are zero, the first of which, where memory is
// allocated and caches fill, does not count.
Pace measure(config::RunConfig run, double seconds) {
  run.train.steps = kNoEnd;
  run.train.seconds.reset();
  run.train.batch_ramp.clear();
  Session session(prepare(run));
  session.trainer().optimizer.scale_rates(0);
  train::train_step(session.trainer());
  const base::Stopwatch watch;
  int count = 0;
  do {
    train::train_step(session.trainer());
    ++count;
  } while (watch.seconds() < std::min(kShare * seconds, kMost_s));
  return {watch.seconds() / count, count};
}

bool is_open(const config::TrainConfig& train) { return train.seconds && !train.steps; }

}  // namespace

void fill_seconds(Prepared& prepared, int64_t done) {
  config::TrainConfig& train = prepared.config.train;
  if (!is_open(train)) return;
  if (prepared.processes > 1) {
    throw base::Error("train.seconds: one process alone can measure how long a step takes; set ",
                      "train.steps, or start one process");
  }
  const Pace pace = measure(prepared.config, *train.seconds);
  const double samples = *train.seconds / pace.step_s * static_cast<double>(prepared.plan.batch);
  train.steps =
      done + std::max<int64_t>(1, prepared.plan.batches.steps_for(std::llround(samples), done));
  prepared.plan = train::make_plan(prepared.config, prepared.data);
  base::log_info("length   ", base::human_duration(*train.seconds), " at ",
                 base::significant(pace.step_s, 3), " s a step, the mean of ", pace.num_steps);
}

void fill_seconds_as(const train::SavedState& begun, Prepared& prepared, int64_t done) {
  config::TrainConfig& train = prepared.config.train;
  const config::TrainConfig& before = begun.trainer.config.train;
  if (!is_open(train)) return;
  if (!before.seconds) {
    throw base::Error(begun.checkpoint.path(),
                      ": this run did not begin with train.seconds, so how many steps fill them is "
                      "not known; set train.steps");
  }
  const double factor = *train.seconds / *before.seconds;
  const auto steps = static_cast<double>(*before.steps - done);
  train.steps = done + std::max<int64_t>(1, std::llround(factor * steps));
}

}  // namespace muonlab::run
