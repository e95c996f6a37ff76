#include "muonlab/run/train_run.hpp"

#include <cstdlib>
#include <optional>

#include "build_facts.hpp"
#include "handover.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/foreign.hpp"
#include "muonlab/base/held_folder.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/content_check.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/store/checkpoint.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "run_guard.hpp"
#include "saver.hpp"
#include "start.hpp"
#include "start_page.hpp"
#include "training.hpp"

namespace muonlab::run {
namespace {

using base::print_line;

// A start waits this long for the shards to be read; reading that takes longer continues in the
// background.
constexpr double kContentWait_s = 0.2;
// So long a process waits for the others at the start, if its patience is not longer.
constexpr double kMeeting_s = 60;

void begin_content_check(data::ContentCheck* content) {
  if (!content) return;
  content->start();
  const std::string size = base::human_bytes(content->bytes());
  print_line(
      content->wait(kContentWait_s)
          ? base::str("content  the shards match their hashes (", size, ")")
          : base::str("content  the shards' hashes are checked while it trains (", size, ")"));
}

struct Asked {
  std::string source_text;
  config::RunConfig config;
  record::RunFolder folder;
};

Asked read_request(const TrainRequest& request) {
  const std::string path =
      request.resume.empty() ? request.config_path : record::RunFolder(request.resume).resolved();
  if (!request.resume.empty() && !base::real_file_system().exists(path)) {
    throw base::Error(
        request.resume,
        ": is not a run's folder (it has no resolved.json). `muonlab runs` lists runs.");
  }
  config::LoadedConfig loaded =
      request.resume.empty()
          ? config::load_config(path, request.settings)
          : config::parse_stored_config(base::read_text(path), path, request.settings);
  for (const std::string& dropped : loaded.dropped) base::log_info("dropped  ", dropped);
  std::string run_dir = request.resume.empty() ? request.run_dir : request.resume;
  if (run_dir.empty()) run_dir = "runs/" + loaded.run.name;
  while (run_dir.size() > 1 && run_dir.back() == '/') run_dir.pop_back();
  // The configuration as first given stays the run's config.json.
  const std::string given = request.resume.empty()
                                ? loaded.source_text
                                : base::read_text(record::RunFolder(run_dir).config());
  return {given, std::move(loaded.run), record::RunFolder(run_dir)};
}

void write_record(const record::RunFolder& folder, const std::string& source_text,
                  const Prepared& prepared, base::FileSystem& files) {
  base::write_atomically(folder.config(), source_text, files);
  base::write_atomically(folder.resolved(), config::dump_config(prepared.config), files);
  base::write_atomically(folder.plan(), train::plan_json(prepared.plan), files);
  base::write_atomically(folder.assignment(), optim::routing_tsv(prepared.routing, prepared.config),
                         files);
  base::write_atomically(folder.build(), build_json(prepared), files);
}

// Where the run's folder was removed: the present state in another folder, which holds no lines of
// the run's earlier steps.
void save_elsewhere(const record::RunFolder& folder, const std::string& source_text,
                    Session& session) {
  base::FileSystem& files = base::real_file_system();
  write_record(folder, source_text, session.prepared(), files);
  train::TrainState& state = session.trainer().state;
  state.metrics_bytes = 0;
  state.probe_bytes.clear();
  save_state(session.trainer(), folder, files);
}

// What a start that failed, or a copy of the checkpoints alone, may leave in a run's folder.
void accept_folder(const record::RunFolder& folder) {
  std::vector<std::string> known{"checkpoints",   "metrics.jsonl", "timing.jsonl",
                                 "spectra.jsonl", "tail.jsonl",    "history.jsonl"};
  known.push_back(base::base_name(folder.events()));
  if (base::real_file_system().exists(folder.lock())) {
    known.insert(known.end(), {".lock", "log.txt", "origin.json", "config.json"});
  }
  base::refuse_foreign_folder(folder.path(), base::base_name(folder.resolved()), known,
                              "Name a new folder with --run-dir");
}

// A run validates on the windows and sums its gradients in the order that it began with, unless
// others are asked for.
void keep_choices(const config::RunConfig& before, const config::RunConfig& asked,
                  config::RunConfig& now) {
  if (!asked.eval.windows) now.eval.windows = before.eval.windows;
  if (now.train.reduction && !asked.train.reduction && before.train.reduction)
    now.train.reduction = before.train.reduction;
}

// As one process, with `handover` to the others before anything is recorded.
TrainResult lead(const TrainRequest& request, Handover& handover) {
  const Asked asked = read_request(request);
  const int processes_here = request.identity.local_size;
  const record::RunFolder& folder = asked.folder;
  accept_folder(folder);
  // The lock comes first: whoever looks sees that the run has begun, also while it reads its data.
  NewFolder made(folder.path());
  const base::HeldFolder held(folder.path(), base::base_name(folder.lock()),
                              "the run " + folder.path());
  base::FileSystem& files = held.files();
  tensor::start_runtime(asked.config.threads.value_or(usual_threads(processes_here)));
  Prepared prepared = prepare(asked.config, processes_here, request.identity.size);

  std::optional<Start> start = find_start(folder, request.from, prepared, files);
  print_line("run      " + describe_start(*start, folder));
  if (start->own) keep_choices(start->own->trainer.config, asked.config, prepared.config);
  accept_start(*start, prepared, folder, request.allow_change);
  if (const std::string text = describe_if_finished(*start, prepared); !text.empty()) {
    print_line(text);
    return {train::Outcome::finished, folder.path()};
  }
  check_processes(prepared);
  begin_content_check(prepared.data.content.get());
  store::remove_stale(folder.checkpoints(), files);
  base::remove_temporaries(folder.path(), files);
  base::set_log_file(folder.log(), files);
  print_line(std::string(base::trim(start_page(prepared))) + "\n");

  Session session(std::move(prepared));
  load_start(*start, session, folder, files);
  made.keep();
  session.continue_mixture();
  const std::vector<record::Change> changes = std::move(start->changes);
  start.reset();
  handover.give(session);
  // Only now: a start that fails leaves the folder's record as it was.
  write_record(folder, asked.source_text, session.prepared(), files);
  const RunGuard guard(held, [&](const record::RunFolder& elsewhere) {
    save_elsewhere(elsewhere, asked.source_text, session);
  });
  const train::Outcome outcome = train_to_end(session, folder, changes, guard);
  guard.check_place(base::str(outcome == train::Outcome::finished
                                  ? "The run has finished there, at step "
                                  : "The run is saved there, at step ",
                              session.trainer().state.step));
  return {outcome, folder.path()};
}

}  // namespace

TrainResult train_run(const TrainRequest& request) {
  const comm::Identity& identity = request.identity;
  base::install_signal_handlers(
      identity.rank == 0
          ? "stopping after this step and saving; press again to leave without saving"
          : nullptr);
  if (identity.local_size > 1) {  // before there are threads
    ::setenv("CUDA_VISIBLE_DEVICES",
             comm::own_gpu(identity, std::getenv("CUDA_VISIBLE_DEVICES")).c_str(), /*overwrite=*/1);
  }
  if (identity.rank > 0) base::speak_as(base::str("rank ", identity.rank, ": "));
  std::shared_ptr<comm::Communicator> group;
  try {
    group = std::make_shared<comm::Communicator>(identity, request.patience_s,
                                                 std::max(request.patience_s, kMeeting_s));
  } catch (const comm::Stopped& stopped) {
    base::log_info(stopped.what());
    return {train::Outcome::interrupted, ""};
  }
  if (identity.rank > 0) return {follow(group), ""};
  try {
    Handover handover(group);
    return lead(request, handover);
  } catch (const std::exception& error) {
    group->leave(error.what());
    throw;
  }
}

}  // namespace muonlab::run
