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
#include "muonlab/record/history.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/store/retention.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "start_page.hpp"

namespace muonlab::run {
namespace {

using base::print_line;

// The settings a checkpoint was made with.
config::RunConfig settings_of(const store::Checkpoint& checkpoint) {
  const train::TrainerFile stored = train::read_trainer_file(checkpoint);
  return config::parse_stored_config(stored.config_text, checkpoint.path() + "/trainer.json");
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
  // Compared as the file holds it. A file without the key says nothing against it.
  if (json.is_object() && !json.contains("from")) return;
  if (json.is_object() &&
      record::json_text(json["from"]) == record::json_text(nlohmann::json(from)))
    return;
  throw base::Error(folder.path(), ": has checkpoints of its own and was not branched from ", from,
                    "; leave --from out to go on with it, or name a new folder with --run-dir");
}

// What made the checkpoint; of a run from before there was a history, what its last start noted.
std::map<std::string, std::string> build_of(const store::Checkpoint& checkpoint,
                                            const record::RunFolder& folder) {
  std::map<std::string, std::string> build =
      record::read_history(folder.history()).build_before(checkpoint.step());
  const nlohmann::json noted = build.empty() ? record::value_in(folder.build()) : nullptr;
  if (noted.is_object()) {
    for (const auto& [name, value] : noted.items()) {
      if (value.is_string() && name != "device") build[name] = value.get<std::string>();
    }
  }
  return build;
}

std::vector<config::Difference> build_differences(const std::map<std::string, std::string>& before,
                                                  std::map<std::string, std::string> now) {
  if (before.empty()) return {};
  std::vector<config::Difference> differences;
  for (const auto& [name, value] : before) {
    const std::string other = now[name];
    if (other != value) differences.push_back({"build." + name, value, other});
  }
  for (const auto& [name, value] : now) {
    if (!before.contains(name)) differences.push_back({"build." + name, "", value});
  }
  return differences;
}

}  // namespace

Start find_start(const record::RunFolder& folder, const std::string& from, const Prepared& prepared,
                 base::FileSystem& files) {
  Start start;
  const auto newest = store::newest_good(
      folder.checkpoints(), [](const auto& text) { base::log_warning(text); }, files);
  if (newest) {
    if (!from.empty()) accept_from(from, folder);
    start.own = std::make_unique<store::Checkpoint>(newest->path, files);
  } else if (!from.empty()) {
    start.branch = std::make_unique<store::Checkpoint>(record::find_checkpoint(from));
    accept_branch(*start.branch, prepared);
  }
  return start;
}

std::vector<record::Change> accept_changes(const store::Checkpoint& checkpoint,
                                           const Prepared& prepared,
                                           const record::RunFolder& folder, bool allow_change) {
  std::vector<config::Difference> differences =
      config::diff_configs(settings_of(checkpoint), prepared.config);
  for (config::Difference& difference :
       build_differences(build_of(checkpoint, folder), build_facts())) {
    differences.push_back(std::move(difference));
  }
  std::vector<record::Change> changes = record::classify_changes(differences);
  const std::string lines = record::describe_changes(changes, allow_change);
  if (!changes.empty()) print_line(std::string(base::trim(lines)));
  const auto has = [&](record::ChangeClass kind) {
    return std::any_of(changes.begin(), changes.end(),
                       [kind](const record::Change& change) { return change.kind == kind; });
  };
  const std::string branch =
      base::str("branch with --run-dir NEW --from ", folder.path(), "@", checkpoint.step());
  if (has(record::ChangeClass::refused)) {
    throw base::Error(
        folder.path(),
        ": its checkpoints were made with other settings (marked refused above). Take them ",
        "back, start a new run with --run-dir, or ", branch);
  }
  if (has(record::ChangeClass::training) && !allow_change) {
    throw base::Error(
        folder.path(), ": these changes make a run that no single configuration describes. To ",
        "train on with them in this run, add --allow-change; to leave this run as it is, ", branch);
  }
  const std::string identity = train::read_trainer_file(checkpoint).data_identity;
  if (identity != prepared.data.identity) {
    throw base::Error(folder.path(), ": the data are not those it was trained on (content hash ",
                      prepared.data.identity, ", the checkpoint says ", identity,
                      "). Name the same data (they may lie in another place), start a new run with "
                      "--run-dir, or ",
                      branch);
  }
  return changes;
}

void begin(const Start& start, const std::string& from, Session& session,
           const record::RunFolder& folder, base::FileSystem& files) {
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
    base::write_atomically(folder.origin(), record::json_text(origin, 2) + "\n", files);
  }
}

}  // namespace muonlab::run
