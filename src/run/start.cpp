#include "start.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "fill_seconds.hpp"
#include "fresh_start.hpp"
#include "initial_weights.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/config/resolve.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/record/open_checkpoint.hpp"
#include "origin.hpp"
#include "resume_changes.hpp"

namespace muonlab::run {
namespace {

// A branch keeps the weights, hence what gives them their shape, and the count of steps.
void accept_branch(const train::SavedState& saved, const Prepared& prepared) {
  std::vector<config::Difference> shape =
      config::diff_configs(saved.trainer.config, prepared.config);
  std::erase_if(shape, [](const auto& difference) { return !record::shapes_weights(difference); });
  std::vector<std::string> changes;
  for (const config::Difference& difference : shape)
    changes.push_back(record::describe_difference(difference));
  if (!changes.empty()) {
    throw base::Error(saved.checkpoint.path(),
                      ": its weights do not fit this model: ", base::join(changes, ", "),
                      ". A branch keeps the model's shape; train from the start, without --from");
  }
  if (saved.step() >= prepared.plan.steps) {
    throw base::Error(
        saved.checkpoint.path(), ": is at step ", saved.step(), ", and train.steps is ",
        prepared.plan.steps,
        ", counted from the run's start; nothing would be trained. Raise train.steps");
  }
}

// A micro-batch that was left to the program stays what the run began with, also where another one
// would fit now, and so does the order in which its gradients are summed.
void keep_micro_batch(const train::SavedState& saved, Prepared& prepared) {
  const config::TrainConfig& before = saved.trainer.config.train;
  config::TrainConfig& now = prepared.config.train;
  const std::vector<config::BatchSizes::Stage>& stages = prepared.plan.batches.stages();
  const bool divides = std::all_of(stages.begin(), stages.end(), [&](const auto& stage) {
    return stage.batch % *before.micro_batch == 0;
  });
  if (!prepared.chose_micro_batch || !divides) return;
  now.micro_batch = before.micro_batch;
  if (!now.accumulates()) now.reduction.reset();
  if (now.accumulates() && !now.reduction) now.reduction = config::Reduction::exact;
}

// A budget of tokens or epochs is for the whole run, so the plan depends on what is done of it.
void plan_from(const train::SavedState& saved, Prepared& prepared) {
  prepared.plan = train::make_plan(prepared.config, prepared.data, saved.trainer.state);
}

// What each corpus of a mixture has been read of is known only where it was one from the start.
void accept_mixture(const train::SavedState& saved, const config::RunConfig& config) {
  const auto* shards = std::get_if<config::ShardsConfig>(&config.data);
  const bool has_weights = shards && !shards->weights.empty();
  const train::TrainState& state = saved.trainer.state;
  if (state.next_sample == 0 || has_weights != state.mixture.empty()) return;
  throw base::Error(
      "data.weights: this run began ", has_weights ? "without" : "with",
      " weights, which decide what each corpus has been read of. Start a new run with ",
      "--run-dir, or branch with --from");
}

bool sets_length(const record::Change& change) {
  const std::string& path = change.difference.path;
  return path.starts_with("train.") || path.find("schedule") != std::string::npos;
}

// Refuses warm-ups and decays that do not fit into the steps now planned; a run that was made so by
// an earlier version is resumed with a warning. A run that ended stays ended while nothing that
// sets its length changed.
void accept_length(const Start& start, const record::RunFolder& folder, Prepared& prepared) {
  const bool as_before =
      start.own && std::none_of(start.changes.begin(), start.changes.end(), sets_length);
  if (as_before) {
    // Also one whose epochs an earlier version rounded down.
    const nlohmann::json plan = record::value_in(folder.plan());
    if (plan.is_object() && record::count_in(plan, "steps") == start.own->step())
      prepared.plan.steps = start.own->step();
  }
  std::vector<config::Problem> problems =
      config::schedule_problems(prepared.config, prepared.plan.steps);
  if (problems.empty()) return;
  if (!as_before) throw config::ConfigError(std::move(problems));
  for (const config::Problem& problem : problems) base::log_warning(problem.line());
}

// A text as JSON keeps it.
std::string json_form(const std::string& text) {
  return nlohmann::json::parse(record::json_text(nlohmann::json(text))).get<std::string>();
}

// A run that has begun resumes, also when its command is given again with the same --from.
void accept_from(const std::string& from, const record::RunFolder& folder) {
  const std::optional<Origin> origin = read_origin(folder);
  if (origin && (!origin->from || *origin->from == json_form(from))) return;
  throw base::Error(folder.path(), ": has checkpoints of its own and was not branched from ", from,
                    "; leave --from out to resume it, or name a new folder with --run-dir");
}

void print_carried(const std::string& from, const train::CarryOver& carried) {
  base::print_line(base::str(from, "; optimizer state of ", carried.carried.size(),
                             " tensors carried over, ", carried.fresh.size(), " start at zero, ",
                             carried.dropped.size(), " not used"));
  for (const std::string& name : carried.fresh) base::log_debug("starts at zero: ", name);
  for (const std::string& name : carried.dropped) base::log_debug("not used: ", name);
}

void resume(const Start& start, Session& session) {
  const auto changed = [&](auto counts) {
    return std::any_of(start.changes.begin(), start.changes.end(), counts);
  };
  if (changed([](const auto& change) { return change.kind == record::ChangeClass::training; })) {
    const train::CarryOver carried = train::load_changed(*start.own, session.trainer());
    if (!carried.fresh.empty() || !carried.dropped.empty())
      print_carried("state    weights", carried);
  } else {
    train::load_checkpoint(*start.own, session.trainer());
  }
  if (changed([](const auto& c) { return record::changes_validation(c.difference.path); }))
    train::forget_best(session.trainer().state);
}

void branch(const Start& start, Session& session, const record::RunFolder& folder,
            base::FileSystem& files) {
  const train::SavedState& saved = *start.branch;
  const train::CarryOver carried = train::load_branch(saved, session.trainer());
  print_carried(base::str("branch   from ", saved.checkpoint.path(), ": weights"), carried);
  write_origin(folder, start.from, saved.checkpoint, carried, files);
}

// The checkpoint that a run without one of its own branches from: what --from names, or what it
// began with when it was killed before its first save. Nothing where it is no branch.
std::optional<store::Checkpoint> open_branch(const record::RunFolder& folder,
                                             const config::RunConfig& config, Start& start) {
  const std::optional<Origin> origin = read_origin(folder);
  if (start.from.empty() && !origin) return std::nullopt;
  start.branches_again = start.from.empty();
  if (config.init) {
    throw base::Error(start.branches_again ? folder.origin() : "--from",
                      " and init.from both say which weights to start with; leave one of them out");
  }
  if (!start.branches_again) return record::open_checkpoint(start.from);
  start.from = origin->from.value_or(origin->checkpoint);
  return open_origin(*origin, folder);
}

}  // namespace

Start find_start(const record::RunFolder& folder, const std::string& from, Prepared& prepared,
                 base::FileSystem& files) {
  Start start{.from = from};
  auto newest = store::open_newest_good(
      folder.checkpoints(), [](const auto& text) { base::log_warning(text); }, files);
  if (newest) {
    if (!from.empty()) accept_from(from, folder);
    start.own.emplace(std::move(*newest));
    keep_micro_batch(*start.own, prepared);
    fill_seconds_as(*start.own, prepared, read_origin(folder).value_or(Origin{}).step);
    plan_from(*start.own, prepared);
    if (prepared.chose_micro_batch) check_memory(prepared);
  } else if (auto source = open_branch(folder, prepared.config, start)) {
    start.branch.emplace(std::move(*source));
    fill_seconds(prepared, start.branch->step());
    plan_from(*start.branch, prepared);
    accept_branch(*start.branch, prepared);
  } else {
    fill_seconds(prepared);
  }
  return start;
}

std::string describe_start(const Start& start, const record::RunFolder& folder) {
  if (start.branches_again) {
    return base::str(folder.path(), "  branches again from ", start.branch->checkpoint.path(),
                     ", as it has no checkpoint of its own");
  }
  if (!start.own) return folder.path() + "  (new)";
  return base::str(folder.path(), "  resumes at step ", start.own->step(),
                   " (checkpoint verified, ", base::human_bytes(start.own->checkpoint.bytes()),
                   ")");
}

void accept_start(Start& start, Prepared& prepared, const record::RunFolder& folder,
                  bool allow_change) {
  if (!start.own) {
    accept_fresh_start(folder, start.branch ? start.branch->step() : 0);
    accept_length(start, folder, prepared);
    return;
  }
  start.changes = find_changes(*start.own, prepared, folder);
  accept_changes(start.changes, *start.own, folder, allow_change);
  accept_mixture(*start.own, prepared.config);
  accept_data(*start.own, prepared, folder);
  accept_length(start, folder, prepared);
}

std::string describe_if_finished(const Start& start, const Prepared& prepared) {
  if (!start.own) return "";
  const int64_t step = start.own->step(), steps = prepared.plan.steps;
  const bool weights_only = !start.own->has_optimizer_state();
  if (step < steps && weights_only) {
    throw base::Error(
        start.own->checkpoint.path(),
        ": holds weights without the optimizers' state (checkpoint.final is weights), "
        "so training cannot resume exactly. Start a new run with --run-dir, or branch with "
        "--from, where the optimizers start at zero");
  }
  if (step < steps) return "";
  const std::string which =
      step > steps ? base::str(", past the ", steps, " steps asked for") : base::str(" of ", steps);
  return base::str("finished at step ", step, which,
                   weights_only ? ". Only its weights are kept (checkpoint.final)"
                                : base::str(". To train longer: --set train.steps=", 2 * step),
                   "; to start a new run: --run-dir");
}

void load_start(const Start& start, Session& session, const record::RunFolder& folder,
                base::FileSystem& files) {
  if (start.own) resume(start, session);
  if (start.branch) branch(start, session, folder, files);
  if (!start.own && !start.branch) load_initial_weights(session);
}

}  // namespace muonlab::run
