#include "muonlab/run/rate_search.hpp"

#include <algorithm>
#include <cmath>

#include "initial_weights.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/step.hpp"

namespace muonlab::run {
namespace {

constexpr double kRise_nats = 1.0;  // above the first loss: the test is over
constexpr size_t kBeside = 4;       // points on each side that a mean and a slope take in
constexpr double kAboveSteepest = 2.0;

void smooth(std::vector<RatePoint>& points) {
  for (size_t i = 0; i < points.size(); ++i) {
    const size_t first = i - std::min(i, kBeside), last = std::min(i + kBeside, points.size() - 1);
    double sum = 0;
    for (size_t j = first; j <= last; ++j) sum += points[j].loss;
    points[i].smooth = sum / static_cast<double>(last - first + 1);
  }
}

}  // namespace

config::RunConfig constant_rates(config::RunConfig config, const RateRange& range) {
  config.schedule = config::ConstantSchedule{};
  for (auto& [name, optimizer] : config.optimizers) {
    std::visit(
        [](auto& rule) {
          rule.schedule.reset();
          rule.decay_fraction.reset();
        },
        optimizer);
  }
  config.train.steps = range.steps;
  config.train.tokens.reset();
  config.train.epochs.reset();
  config.train.seconds.reset();
  config.train.batch_ramp.clear();
  config.train.average = 0;
  config.probes = {};
  return config;
}

std::vector<RatePoint> test_rates(const config::RunConfig& config, const RateRange& range,
                                  const std::function<void(const RatePoint&)>& watch) {
  base::check(range.steps >= 2 && range.low > 0 && range.high > range.low, "a range of rates");
  tensor::start_runtime(config.threads.value_or(base::usable_processors()));
  Session session(prepare(constant_rates(config, range)));
  load_initial_weights(session);
  train::Trainer& trainer = session.trainer();
  std::vector<RatePoint> points;
  for (int64_t i = 0; i < range.steps && base::stop_requested() == 0; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(range.steps - 1);
    const double factor = range.low * std::pow(range.high / range.low, share);
    trainer.optimizer.scale_rates(factor);
    try {
      const train::StepRecord record = train::train_step(trainer);
      points.push_back({factor, record.loss});
    } catch (const base::NonFinite&) {
      break;
    }
    watch(points.back());
    if (points.back().loss > points.front().loss + kRise_nats) break;
  }
  smooth(points);
  return points;
}

RateProposal propose_rate(const std::vector<RatePoint>& points) {
  base::check(!points.empty(), "no point to propose a rate from");
  const size_t last = points.size() - 1;
  size_t steepest = 0;
  double least = 0;
  for (size_t i = 0; i <= last; ++i) {
    const double slope =
        points[std::min(i + kBeside, last)].smooth - points[i - std::min(i, kBeside)].smooth;
    if (i > 0 && slope >= least) continue;
    least = slope;
    steepest = i;
  }
  const double factor = points[steepest].factor;
  return {.factor = kAboveSteepest * factor,
          .steepest = factor,
          .inside = least < 0 && steepest > kBeside && steepest + kBeside < last};
}

}  // namespace muonlab::run
