#include "resume_changes.hpp"

#include <algorithm>

#include "build_facts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/config/resolve.hpp"
#include "muonlab/optim/schedule.hpp"
#include "muonlab/record/history.hpp"

namespace muonlab::run {
namespace {

using record::Change;
using record::ChangeClass;

// What made the checkpoint; of a run from before there was a history, what its last start noted.
std::map<std::string, std::string> build_of(const train::SavedState& saved,
                                            const record::RunFolder& folder) {
  const auto build = record::read_history(folder.history()).build_before(saved.step());
  if (!build.empty() || !base::real_file_system().exists(folder.build())) return build;
  return parse_build_facts(base::read_text(folder.build()));
}

void add_build_differences(const std::map<std::string, std::string>& before,
                           std::vector<config::Difference>& differences) {
  if (before.empty()) return;
  std::map<std::string, std::string> all = build_facts();
  const std::map<std::string, std::string> now = all;
  all.insert(before.begin(), before.end());
  const auto value = [](const auto& facts, const std::string& name) {
    const auto found = facts.find(name);
    return found == facts.end() ? std::string() : found->second;
  };
  for (const auto& [name, either] : all) {
    if (value(before, name) != value(now, name))
      differences.push_back({"build." + name, value(before, name), value(now, name)});
  }
}

double rate(const config::OptimizerConfig& optimizer, const config::RunConfig& run, int64_t step,
            int64_t num_steps) {
  const double lr = std::visit([](const auto& c) { return c.lr; }, optimizer);
  return lr * optim::schedule_multiplier(config::schedule_of(run, optimizer), step, num_steps);
}

// The steps that a checkpoint has behind it: as they were, and as one run with the configuration of
// now would have taken them.
struct Past {
  const config::RunConfig& before;
  const config::RunConfig& now;
  train::Plan plan_before;
  const train::Plan& plan_now;
  int64_t steps;

  Past(const train::SavedState& saved, const Prepared& prepared)
      : before(saved.trainer.config),
        now(prepared.config),
        plan_before(train::make_plan(before, prepared.data)),
        plan_now(prepared.plan),
        steps(saved.step()) {}
};

bool rates_are_kept(const Past& past) {
  for (const auto& [name, optimizer] : past.before.optimizers) {
    const auto now = past.now.optimizers.find(name);
    if (now == past.now.optimizers.end()) return false;
    for (int64_t step = 1; step <= past.steps; ++step) {
      if (rate(optimizer, past.before, step, past.plan_before.steps) !=
          rate(now->second, past.now, step, past.plan_now.steps))
        return false;
    }
  }
  return true;
}

// Steps before the end that have a momentum of their own.
int64_t momentum_cooldown(const config::OptimizerConfig& optimizer) {
  return std::visit(
      [](const auto& rule) -> int64_t {
        if constexpr (requires { rule.momentum_cooldown; }) return rule.momentum_cooldown;
        return 0;
      },
      optimizer);
}

// Of a momentum that only the length changes; another setting of it is a change of the training.
bool momentum_is_kept(const Past& past) {
  const int64_t before = past.plan_before.steps, now = past.plan_now.steps;
  return before == now || std::all_of(past.before.optimizers.begin(), past.before.optimizers.end(),
                                      [&](const auto& named) {
                                        const int64_t cooldown = momentum_cooldown(named.second);
                                        return cooldown == 0 ||
                                               past.steps <= std::min(before, now) - cooldown;
                                      });
}

bool batches_are_kept(const Past& past) {
  for (int64_t step = 1; step <= past.steps; ++step) {
    if (past.plan_before.batches.at(step) != past.plan_now.batches.at(step)) return false;
  }
  return true;
}

// Whether the average of the weights has taken in the same of these steps.
bool average_is_kept(const Past& past) {
  const auto first = [&](const config::RunConfig& run, const train::Plan& plan) {
    return std::min(past.steps + 1, train::WeightAverage::first_step(run.train, plan.steps));
  };
  return first(past.before, past.plan_before) == first(past.now, past.plan_now);
}

// Why one run with the configuration of now would not have taken the steps of the checkpoint as
// they were; empty where it would.
std::string difference_of_length(const Past& past) {
  if (!batches_are_kept(past)) return "the steps so far would have had other batches";
  if (!momentum_is_kept(past)) return "the steps so far would have had another momentum";
  if (!average_is_kept(past)) return "the average would have taken in other steps so far";
  return "";
}

bool is_average(const Change& change) { return change.difference.path == "train.average"; }

// Whether the steps so far decide what the change is.
bool depends_on_length(const Change& change) {
  return is_average(change) || record::decides_rates(change.difference.path);
}

bool has(const std::vector<Change>& changes, ChangeClass kind) {
  return std::any_of(changes.begin(), changes.end(),
                     [kind](const Change& change) { return change.kind == kind; });
}

// A process that was killed before its first checkpoint had been allowed what it changed.
bool was_allowed(const std::vector<Change>& changes, const train::SavedState& saved,
                 const record::RunFolder& folder) {
  const record::History history = record::read_history(folder.history());
  if (history.starts.empty() || history.starts.back().step != saved.step()) return false;
  const std::vector<Change>& earlier = history.starts.back().changes;
  return std::all_of(changes.begin(), changes.end(), [&](const Change& change) {
    return change.kind != ChangeClass::training ||
           std::any_of(earlier.begin(), earlier.end(), [&](const Change& other) {
             return other.difference.path == change.difference.path &&
                    other.difference.before == change.difference.before &&
                    other.difference.after == change.difference.after;
           });
  });
}

std::string how_to_branch(const train::SavedState& saved, const record::RunFolder& folder) {
  return base::str("branch with --run-dir NEW --from ", folder.path(), "@", saved.step());
}

}  // namespace

std::vector<Change> find_changes(const train::SavedState& saved, const Prepared& prepared,
                                 const record::RunFolder& folder) {
  std::vector<config::Difference> differences =
      config::diff_configs(saved.trainer.config, prepared.config);
  add_build_differences(build_of(saved, folder), differences);
  std::vector<Change> changes = record::classify_changes(differences);
  if (std::none_of(changes.begin(), changes.end(), depends_on_length)) return changes;
  const Past past(saved, prepared);
  const bool keeps_rates = rates_are_kept(past), keeps_average = average_is_kept(past);
  const std::string other = difference_of_length(past);
  for (Change& change : changes) {
    const std::string& path = change.difference.path;
    if (is_average(change) && !keeps_average) change.kind = ChangeClass::length;
    if (!record::decides_rates(path) || !keeps_rates) continue;
    if (change.kind == ChangeClass::length && !other.empty()) {
      change.note = other;
      continue;
    }
    change.kind = ChangeClass::safe;
    change.note = "leaves the learning rates of all steps so far as they were: allowed";
  }
  return changes;
}

void accept_changes(const std::vector<Change>& changes, const train::SavedState& saved,
                    const record::RunFolder& folder, bool allow_change) {
  const bool allowed = allow_change || was_allowed(changes, saved, folder);
  const std::string lines = record::describe_changes(changes, allowed);
  if (!lines.empty()) base::print_line(base::trim(lines));
  if (has(changes, ChangeClass::refused)) {
    throw base::Error(folder.path(), ": its checkpoints were made with other settings (marked ",
                      "refused above). Undo them, start a new run with --run-dir, or ",
                      how_to_branch(saved, folder));
  }
  if (has(changes, ChangeClass::training) && !allowed) {
    throw base::Error(folder.path(), ": these changes make a run that no single configuration ",
                      "describes. To continue this run with them, add --allow-change; to leave ",
                      "this run as it is, ", how_to_branch(saved, folder));
  }
}

void accept_data(const train::SavedState& saved, const Prepared& prepared,
                 const record::RunFolder& folder) {
  const std::string& identity = saved.trainer.data_identity;
  if (identity == prepared.data.identity) return;
  throw base::Error(folder.path(), ": the data are not those it was trained on (content hash ",
                    prepared.data.identity, ", the checkpoint says ", identity,
                    "). Name the same data (they may be in another place), start a new run with "
                    "--run-dir, or ",
                    how_to_branch(saved, folder));
}

}  // namespace muonlab::run
