// Whether warm-ups and decays fit into the length of a run.
#include "config/checker.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {

namespace {

std::string steps_text(int64_t steps) { return base::str(steps, steps == 1 ? " step" : " steps"); }

// What is wrong with a schedule over so many steps; empty for nothing.
std::string length_problem(const ScheduleConfig& schedule, int64_t steps) {
  const int64_t warmup = std::visit([](const auto& s) { return s.warmup; }, schedule);
  if (warmup > 0 && warmup >= steps) {
    return base::str(steps_text(warmup), " of warm-up leave nothing of the run's ",
                     steps_text(steps));
  }
  if (const auto* wsd = std::get_if<WsdSchedule>(&schedule); wsd && warmup > 0) {
    const double decay = static_cast<double>(steps) * wsd->decay_fraction;
    const double room = static_cast<double>(steps) * (1 + 1e-9) - decay;
    if (static_cast<double>(warmup) > room) {
      return base::str(
          steps_text(warmup), " of warm-up reach into the decay, which takes the last ",
          plain(std::ceil(decay)), " of ", steps, " steps; lower warmup or decay_fraction");
    }
  }
  return "";
}

}  // namespace

std::optional<int64_t> known_steps(const RunConfig& run) {
  const TrainConfig& train = run.train;
  if (train.steps) return train.steps;
  if (!train.tokens) return std::nullopt;
  const int64_t tokens_per_step = train.batch * run.model.context;
  return (*train.tokens - 1) / tokens_per_step + 1;
}

std::vector<Problem> schedule_problems(const RunConfig& run, int64_t steps) {
  std::vector<Problem> problems;
  const auto check = [&](const std::string& path, const ScheduleConfig& schedule) {
    std::string text = length_problem(schedule, steps);
    if (!text.empty()) problems.push_back({"", path + ".warmup", std::move(text)});
  };
  bool shared = run.optimizers.empty();
  for (const auto& [name, optimizer] : run.optimizers) {
    const auto& own = std::visit(
        [](const auto& rule) -> const auto& { return rule.schedule; }, optimizer);
    if (own) check("optimizers." + name + ".schedule", *own);
    shared |= !own;
  }
  if (shared) check("schedule", run.schedule);
  return problems;
}

void check_schedules(Checker& c) {
  const std::optional<int64_t> steps = known_steps(c.run);
  // An earlier version accepted more than this one, and its runs are to be read.
  if (!steps || c.stored || c.problems.touches("train")) return;
  for (Problem& problem : schedule_problems(c.run, *steps)) {
    if (c.run.train.tokens) {
      problem.text +=
          "; if a run has done a part of its tokens with another batch, `muonlab train --resume "
          "RUN --set train.batch=N` counts the steps that are left";
    }
    const std::string schedule = problem.path.substr(0, problem.path.rfind('.'));
    if (!c.problems.touches(schedule)) c.fail(problem.path, std::move(problem.text));
  }
}

}  // namespace muonlab::config
