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

// Whether every step of the checkpoint had the learning rates that the configuration of now would
// have given it.
bool rates_are_kept(const train::SavedState& saved, const Prepared& prepared) {
  const config::RunConfig& before = saved.trainer.config;
  const int64_t num_before = train::make_plan(before, prepared.data).steps;
  for (const auto& [name, optimizer] : before.optimizers) {
    const auto now = prepared.config.optimizers.find(name);
    if (now == prepared.config.optimizers.end()) return false;
    for (int64_t step = 1; step <= saved.step(); ++step) {
      if (rate(optimizer, before, step, num_before) !=
          rate(now->second, prepared.config, step, prepared.plan.steps))
        return false;
    }
  }
  return true;
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
  const bool may_keep_rates = std::any_of(changes.begin(), changes.end(), [](const Change& change) {
    return record::decides_rates(change.difference.path);
  });
  if (may_keep_rates && rates_are_kept(saved, prepared)) {
    for (Change& change : changes) {
      if (!record::decides_rates(change.difference.path)) continue;
      change.kind = ChangeClass::safe;
      change.note = "leaves the learning rates of all steps so far as they were: allowed";
    }
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
