// Whether warm-ups and decays fit into the length of a run.
#include "config/checker.hpp"
#include "muonlab/config/batch_sizes.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {

namespace {

std::string steps_text(int64_t steps) { return base::str(steps, steps == 1 ? " step" : " steps"); }

struct LengthProblem {
  std::string setting, text;
};

// What is wrong with a schedule over so many steps, the last of which have one batch from
// `first_full` on; and in which of its settings.
std::optional<LengthProblem> length_problem(const ScheduleConfig& schedule, int64_t steps,
                                            int64_t first_full) {
  const auto [warmup, setting] = std::visit(
      [&](const auto& s) {
        return std::pair(warmup_steps(s, steps), s.warmup_tokens     ? "warmup_tokens"
                                                 : s.warmup_fraction ? "warmup_fraction"
                                                                     : "warmup");
      },
      schedule);
  if (warmup > 0 && warmup >= steps) {
    return LengthProblem{setting,
                         base::str(steps_text(warmup), " of warm-up leave nothing of the run's ",
                                   steps_text(steps))};
  }
  const auto* wsd = std::get_if<WsdSchedule>(&schedule);
  if (!wsd) return std::nullopt;
  const double decay = decay_length(*wsd, steps);
  const double room = static_cast<double>(steps) * (1 + 1e-9) - decay;
  if (room < 0) {
    return LengthProblem{
        wsd->decay_tokens ? "decay_tokens" : "decay_steps",
        base::str(plain(decay), " steps of decay are more than the run's ", steps_text(steps))};
  }
  if (wsd->decay_tokens && decay > static_cast<double>(steps - first_full + 1)) {
    return LengthProblem{"decay_tokens",
                         base::str("the decay begins before step ", first_full,
                                   ", while train.batch_ramp grows the batch; give decay_steps")};
  }
  if (warmup > 0 && static_cast<double>(warmup) > room) {
    return LengthProblem{
        setting,
        base::str(steps_text(warmup), " of warm-up reach into the decay, which takes the last ",
                  plain(std::ceil(decay)), " of ", steps,
                  " steps; lower warmup or decay_fraction")};
  }
  return std::nullopt;
}

// Steps at the start of a run that take so many tokens.
int64_t steps_of(int64_t tokens, const RunConfig& run) {
  return BatchSizes(run).steps_for((tokens - 1) / run.model.context + 1);
}

// Steps at the end of a run, after any ramp.
int64_t last_steps_of(int64_t tokens, const RunConfig& run) {
  return (tokens - 1) / (run.train.batch * run.model.context) + 1;
}

}  // namespace

std::optional<int64_t> known_steps(const RunConfig& run) {
  const TrainConfig& train = run.train;
  if (train.steps) return train.steps;
  if (!train.tokens) return std::nullopt;
  return steps_of(*train.tokens, run);
}

ScheduleConfig schedule_of(const RunConfig& run, const OptimizerConfig& optimizer) {
  return std::visit(
      [&](const auto& rule) {
        ScheduleConfig schedule = rule.schedule.value_or(run.schedule);
        auto* wsd = std::get_if<WsdSchedule>(&schedule);
        if (wsd && wsd->decay_tokens) wsd->decay_steps = last_steps_of(*wsd->decay_tokens, run);
        if (wsd && rule.decay_fraction) {
          wsd->decay_fraction = *rule.decay_fraction;
          wsd->decay_steps.reset();
          wsd->decay_tokens.reset();
        }
        std::visit(
            [&](auto& s) {
              if (s.warmup_tokens) s.warmup = steps_of(*s.warmup_tokens, run);
            },
            schedule);
        return schedule;
      },
      optimizer);
}

std::vector<Problem> schedule_problems(const RunConfig& run, int64_t steps) {
  std::vector<Problem> problems;
  const int64_t first_full = BatchSizes(run).stages().back().first_step;
  if (first_full > steps) {
    problems.push_back(
        {"", "train.batch_ramp",
         base::str("its stages take ", steps_text(first_full - 1),
                   " and leave nothing of the run's ", steps_text(steps), " for train.batch")});
  }
  const auto check = [&](const std::string& path, const ScheduleConfig& schedule) {
    const std::optional<LengthProblem> found = length_problem(schedule, steps, first_full);
    const auto same = [&](const Problem& p) { return p.path.starts_with(path); };
    if (found && std::none_of(problems.begin(), problems.end(), same))
      problems.push_back({"", path + "." + found->setting, found->text});
  };
  if (run.optimizers.empty()) check("schedule", run.schedule);
  for (const auto& [name, optimizer] : run.optimizers) {
    const bool own =
        std::visit([](const auto& rule) { return rule.schedule.has_value(); }, optimizer);
    check(own ? "optimizers." + name + ".schedule" : "schedule", schedule_of(run, optimizer));
  }
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
