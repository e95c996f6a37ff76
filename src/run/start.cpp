#include "start.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/record/changes.hpp"
#include "muonlab/record/find_checkpoint.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/store/retention.hpp"
#include "muonlab/train/checkpoint.hpp"

namespace muonlab::run {
namespace {

using base::print_line;

// The settings a checkpoint was made with.
config::RunConfig settings_of(const store::Checkpoint& checkpoint) {
  const train::TrainerFile stored = train::read_trainer_file(checkpoint);
  return config::parse_config(stored.config_text, checkpoint.path() + "/trainer.json").run;
}

// A branch keeps the weights, hence what gives them their shape, and the count of steps.
void accept_branch(const store::Checkpoint& checkpoint, const Prepared& prepared) {
  std::vector<config::Difference> shape =
      config::diff_configs(settings_of(checkpoint), prepared.config);
  std::erase_if(shape, [](const config::Difference& difference) {
    return !record::shapes_weights(difference.path);
  });
  std::vector<std::string> changes;
  for (const config::Difference& d : shape)
    changes.push_back(base::str(d.path, " ", d.before, " -> ", d.after));
  if (!changes.empty()) {
    throw base::Error(checkpoint.path(),
                      ": its weights do not fit this model: ", base::join(changes, ", "),
                      ". A branch keeps the model's shape; train from the start, without --from");
  }
  if (checkpoint.step() >= prepared.plan.steps) {
    throw base::Error(
        checkpoint.path(), ": is at step ", checkpoint.step(), ", and train.steps is ",
        prepared.plan.steps,
        ", counted from the run's start; nothing would be trained. Raise train.steps");
  }
}

// A run that has begun goes on, also when its command is typed again with the same --from.
void accept_from(const std::string& from, const record::RunFolder& folder) {
  const nlohmann::json json = record::value_in(folder.origin());
  if (json.is_object() && json.value("from", from) == from) return;
  throw base::Error(folder.path(), ": has checkpoints of its own and was not branched from ", from,
                    "; leave --from out to go on with it, or name a new folder with --run-dir");
}

}  // namespace

Start find_start(const record::RunFolder& folder, const std::string& from,
                 const Prepared& prepared) {
  Start start;
  const auto newest =
      store::newest_good(folder.checkpoints(), [](const auto& text) { base::log_warning(text); });
  if (newest) {
    if (!from.empty()) accept_from(from, folder);
    start.own = std::make_unique<store::Checkpoint>(newest->path);
  } else if (!from.empty()) {
    start.branch = std::make_unique<store::Checkpoint>(record::find_checkpoint(from));
    accept_branch(*start.branch, prepared);
  }
  return start;
}

void accept_changes(const store::Checkpoint& checkpoint, const Prepared& prepared,
                    const record::RunFolder& folder) {
  const std::vector<record::Change> changes =
      record::classify_changes(config::diff_configs(settings_of(checkpoint), prepared.config));
  if (!changes.empty()) print_line(std::string(base::trim(record::describe_changes(changes))));
  const bool refused = std::any_of(changes.begin(), changes.end(), [](const record::Change& c) {
    return c.kind == record::ChangeClass::refused;
  });
  if (refused) {
    throw base::Error(
        folder.path(),
        ": its checkpoints were made with other settings (marked refused above). Take them ",
        "back, start a new run with --run-dir, or branch with --run-dir NEW --from ", folder.path(),
        "@", checkpoint.step());
  }
  const std::string identity = train::read_trainer_file(checkpoint).data_identity;
  if (identity != prepared.data.identity) {
    throw base::Error(folder.path(), ": the data are not those it was trained on (content hash ",
                      prepared.data.identity, ", the checkpoint says ", identity,
                      "). Name the same data (they may lie in another place), start a new run with "
                      "--run-dir, or branch with --run-dir NEW --from ",
                      folder.path(), "@", checkpoint.step());
  }
}

void begin(const Start& start, const std::string& from, Session& session,
           const record::RunFolder& folder) {
  if (start.own) {
    train::load_checkpoint(*start.own, session.trainer());
  } else if (start.branch) {
    const train::CarryOver carried = train::load_branch(*start.branch, session.trainer());
    print_line(base::str("branch   from ", start.branch->path(), ": weights; optimizer state of ",
                         carried.carried.size(), " tensors carried over, ", carried.fresh.size(),
                         " start at zero, ", carried.dropped.size(), " not used"));
    for (const std::string& name : carried.fresh) base::log_debug("branch: fresh ", name);
    for (const std::string& name : carried.dropped) base::log_debug("branch: dropped ", name);
    const nlohmann::ordered_json origin{{"from", from},
                                        {"checkpoint", start.branch->path()},
                                        {"step", start.branch->step()},
                                        {"carried", carried.carried},
                                        {"fresh", carried.fresh},
                                        {"dropped", carried.dropped}};
    base::write_atomically(folder.origin(), origin.dump(2) + "\n");
  }
}

}  // namespace muonlab::run
