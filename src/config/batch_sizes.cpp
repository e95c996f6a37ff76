#include "muonlab/config/batch_sizes.hpp"

#include <algorithm>
#include <cmath>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::config {
namespace {

int64_t rounded_up(double x) { return static_cast<int64_t>(std::ceil(x * (1 - 1e-12))); }

// Of a stage, in steps.
int64_t length_of(const BatchStage& stage, const RunConfig& run) {
  if (stage.steps) return *stage.steps;
  const TrainConfig& train = run.train;
  const double share = stage.fraction.value_or(0.0);
  if (!stage.tokens && train.steps) return std::llround(share * static_cast<double>(*train.steps));
  const double tokens =
      static_cast<double>(stage.tokens.value_or(0)) +
      (stage.tokens ? 0.0 : share * static_cast<double>(train.tokens.value_or(0)));
  return rounded_up(tokens / static_cast<double>(stage.batch * run.model.context));
}

}  // namespace

BatchSizes::BatchSizes(const RunConfig& run) {
  stages_.clear();
  int64_t first_step = 1;
  const auto add = [&](int64_t batch) {
    if (stages_.empty() || stages_.back().batch != batch) stages_.push_back({first_step, batch});
  };
  for (const BatchStage& stage : run.train.batch_ramp) {
    const int64_t length = length_of(stage, run);
    if (length > 0) add(stage.batch);
    first_step += length;
  }
  add(run.train.batch);
}

int64_t BatchSizes::at(int64_t step) const {
  const auto after = std::find_if(stages_.begin() + 1, stages_.end(),
                                  [&](const Stage& stage) { return stage.first_step > step; });
  return (after - 1)->batch;
}

int64_t BatchSizes::samples(int64_t first, int64_t last) const {
  int64_t sum = 0;
  for (size_t i = 0; i < stages_.size(); ++i) {
    const int64_t begin = std::max(first, stages_[i].first_step - 1);
    const int64_t end =
        i + 1 < stages_.size() ? std::min(last, stages_[i + 1].first_step - 1) : last;
    if (begin < end) sum += (end - begin) * stages_[i].batch;
  }
  return sum;
}

int64_t BatchSizes::steps_for(int64_t samples, int64_t done) const {
  int64_t step = done;
  for (size_t i = 0; i + 1 < stages_.size() && samples > 0; ++i) {
    const int64_t left = stages_[i + 1].first_step - 1 - step, batch = stages_[i].batch;
    if (left <= 0) continue;
    if (samples <= left * batch) return step - done + (samples - 1) / batch + 1;
    samples -= left * batch;
    step += left;
  }
  const int64_t batch = samples > 0 ? stages_.back().batch : at(done + 1);
  return step - done + samples / batch + (samples > 0 && samples % batch != 0);
}

std::string BatchSizes::text() const {
  std::string text;
  for (size_t i = 0; i + 1 < stages_.size(); ++i) {
    const int64_t steps = stages_[i + 1].first_step - stages_[i].first_step;
    text += base::str(stages_[i].batch, " in ", base::with_commas(steps),
                      steps == 1 ? " step, " : " steps, ");
  }
  return base::str(text, text.empty() ? "" : "then ", stages_.back().batch);
}

}  // namespace muonlab::config
