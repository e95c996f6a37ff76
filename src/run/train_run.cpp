#include "muonlab/run/train_run.hpp"

#include <memory>

#include "console.hpp"
#include "fresh_start.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/foreign.hpp"
#include "muonlab/base/held_folder.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/ops/gemm_rate.hpp"
#include "muonlab/record/history.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/store/checkpoint.hpp"
#include "muonlab/store/retention.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "muonlab/train/metrics.hpp"
#include "probes.hpp"
#include "run_guard.hpp"
#include "start.hpp"
#include "start_page.hpp"

namespace muonlab::run {
namespace {

using base::print_line;

// Time spent on measuring the GEMM peak, once a start.
constexpr double kPeakProbe_s = 0.25;

void write_record(const record::RunFolder& folder, const std::string& source_text,
                  const Prepared& prepared, base::FileSystem& files) {
  base::write_atomically(folder.config(), source_text, files);
  base::write_atomically(folder.resolved(), config::dump_config(prepared.config), files);
  base::write_atomically(folder.plan(), train::plan_json(prepared.plan), files);
  base::write_atomically(folder.assignment(), optim::routing_tsv(prepared.routing, prepared.config),
                         files);
  base::write_atomically(folder.build(), build_json(prepared), files);
}

std::string save(Session& session, const record::RunFolder& folder, base::FileSystem& files) {
  train::Trainer& trainer = session.trainer();
  const config::CheckpointConfig& keep = trainer.config.checkpoint;
  const bool weights_only =
      keep.final == config::FinalCheckpoint::weights && trainer.state.step == trainer.plan.steps;
  std::string path = train::save_checkpoint(
      trainer, session.optimizer_of(),
      store::CheckpointWriter(files, folder.checkpoints(), trainer.state.step), weights_only);
  const bool best = keep.best && trainer.state.best_step >= 0;
  store::prune(folder.checkpoints(), weights_only ? 1 : keep.keep, keep.permanent_every,
               best ? std::optional(trainer.state.best_step) : std::nullopt, files);
  return path;
}

// For a folder that holds no lines of the run's earlier steps.
void start_record_anew(train::TrainState& state) {
  state.metrics_bytes = 0;
  state.probe_bytes.clear();
}

// A checkpoint from which the run could be resumed if this process ended now; empty where there is
// none.
std::string resumable(const record::RunFolder& folder, base::FileSystem& files) {
  try {
    const auto good = store::newest_good(
        folder.checkpoints(), [](const auto&) {}, files);
    return good ? good->path : "";
  } catch (const base::Error&) {
    return "";
  }
}

std::string best_text(const train::TrainState& state) {
  if (state.best_step < 0) return "";
  return base::str("  best validation loss ", base::fixed(state.best_val_loss, 4), " at step ",
                   state.best_step);
}

// What the terminal shows stays in log.txt as well.
void tell(const std::string& text) {
  print_line(text);
  base::log_note(text);
}

train::Outcome see_through(Session& session, const record::RunFolder& folder,
                           const RunGuard& guard) {
  base::FileSystem& files = guard.files();
  train::Trainer& trainer = session.trainer();
  train::MetricsLog metrics(folder.metrics(), folder.timing(), trainer.state.metrics_bytes,
                            trainer.optimizer.names(), files);
  const std::vector<std::unique_ptr<train::Probe>> probes = make_probes(trainer.config);
  train::ProbeLog probe_log(folder.path(), probes, trainer.state, files);
  const double peak = trainer.config.device == config::Device::cpu
                          ? ops::gemm_peak_gflops(trainer.config.precision, kPeakProbe_s)
                          : 0.0;
  Console console(trainer.plan, trainer.model.flops_per_token(), peak);
  std::string saved;
  train::LoopEvents events;
  events.stepped = [&](const train::StepRecord& record) {
    guard.check();
    metrics.step(record, trainer.plan.tokens_per_step);
    console.stepped(record);
  };
  events.evaluated = [&](int64_t step, const train::Evaluation& evaluation) {
    metrics.evaluation(step, evaluation);
    console.evaluated(step, evaluation);
  };
  double save_s = 0;
  events.save = [&](train::SaveKind kind) {
    const base::Stopwatch watch;
    guard.check();
    trainer.state.metrics_bytes = metrics.sync();
    probe_log.sync(trainer.state);
    try {
      saved = save(session, folder, files);
    } catch (const base::IoError& failure) {
      guard.check();
      const bool may_fail = kind == train::SaveKind::periodic &&
                            trainer.config.checkpoint.on_failure == config::OnSaveFailure::warn;
      const std::string older = may_fail ? resumable(folder, files) : "";
      if (older.empty()) throw;
      base::log_warning(failure.what(), ". Training continues; until the next save succeeds, the ",
                        "run can be resumed from ", older);
      return;
    }
    save_s = watch.seconds();
    base::log_note(base::str("saved ", saved, " (", base::human_duration(save_s), ")"));
  };
  for (const auto& probe : probes) events.probes.push_back(probe.get());
  events.probed = [&](const train::Probe& probe, const std::vector<std::string>& lines) {
    probe_log.write(probe, lines);
  };
  events.stop_requested = [&] { return base::stop_requested() != 0 || guard.displaced(); };

  try {
    const train::Outcome outcome = train::run_loop(trainer, events);
    console.finish();
    if (guard.displaced()) return outcome;  // its end is told with where the folder is
    if (outcome == train::Outcome::interrupted) {
      tell(base::str(base::signal_name(base::stop_requested()), "  saved ", saved, " (",
                     base::human_duration(save_s), "). Go on with: muonlab train --resume ",
                     folder.path()));
    } else {
      tell(base::str("done   ", saved, best_text(trainer.state)));
    }
    return outcome;
  } catch (const train::NonFinite& error) {
    console.finish();
    const auto good = store::newest_good(
        folder.checkpoints(), [](const auto&) {}, files);
    base::log_note(error.what());
    throw train::NonFinite(
        error.what(),
        good ? " The last good checkpoint is " + good->path + "." : " There is no checkpoint yet.",
        " Lower the learning rate or set train.clip, then go on or start anew.");
  }
}

// A full disk may be why the training failed: then its end is not recorded either.
void note_end(const record::RunFolder& folder, const record::RunEnd& end, const RunGuard& guard) {
  try {
    if (guard.may_write()) record::append_end(folder.history(), end, guard.files());
  } catch (const base::Error& error) {
    base::log_warning(error.what());
  }
}

// see_through, with its end in history.jsonl.
train::Outcome train_recorded(Session& session, const record::RunFolder& folder,
                              const RunGuard& guard) {
  const int64_t& step = session.trainer().state.step;
  try {
    const train::Outcome outcome = see_through(session, folder, guard);
    const bool finished = outcome == train::Outcome::finished;
    record::append_end(
        folder.history(),
        {step, finished ? record::RunOutcome::finished : record::RunOutcome::interrupted},
        guard.files());
    return outcome;
  } catch (const train::NonFinite&) {
    note_end(folder, {step, record::RunOutcome::diverged}, guard);
    throw;
  } catch (...) {
    note_end(folder, {step, record::RunOutcome::failed}, guard);
    throw;
  }
}

// What a start that failed, or a copy of the checkpoints alone, may leave in a run's folder.
void accept_folder(const record::RunFolder& folder) {
  std::vector<std::string> known{"checkpoints",   "metrics.jsonl", "timing.jsonl",
                                 "spectra.jsonl", "tail.jsonl",    "history.jsonl"};
  if (base::real_file_system().exists(folder.lock())) {
    known.insert(known.end(), {".lock", "log.txt", "origin.json", "config.json"});
  }
  base::refuse_foreign_folder(folder.path(), base::base_name(folder.resolved()), known,
                              "Name a new folder with --run-dir");
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
  config::LoadedConfig loaded = config::load_config(path, request.settings);
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

}  // namespace

train::Outcome train_run(const TrainRequest& request) {
  base::install_signal_handlers(
      "stopping after this step and saving; press again to leave without saving");
  const Asked asked = read_request(request);
  const record::RunFolder& folder = asked.folder;
  accept_folder(folder);
  // The lock comes first: whoever looks sees that the run has begun, also while it reads its data.
  NewFolder made(folder.path());
  const base::HeldFolder held(folder.path(), base::base_name(folder.lock()),
                              "the run " + folder.path());
  tensor::start_runtime(asked.config.threads.value_or(base::usable_processors()));
  Prepared prepared = prepare(asked.config);
  const Start start = find_start(folder, request.from, prepared, held.files());
  print_line(base::str(
      "run      ", folder.path(),
      start.own ? base::str("  resumes at step ", start.own->step(), " (checkpoint verified, ",
                            base::human_bytes(start.own->bytes()), ")")
                : std::string("  (new)")));
  std::vector<record::Change> changes;
  if (start.own) changes = accept_changes(*start.own, prepared, folder, request.allow_change);
  if (!start.own) accept_fresh_start(folder);
  const bool weights_only = start.own && !train::has_optimizer_state(*start.own);
  if (start.own && (start.own->step() > prepared.plan.steps ||
                    (weights_only && start.own->step() == prepared.plan.steps))) {
    print_line(base::str("finished at step ", start.own->step(),
                         start.own->step() > prepared.plan.steps ? ", past the " : " of the ",
                         prepared.plan.steps, " steps asked for. ",
                         weights_only
                             ? "Only its weights are kept (checkpoint.final)"
                             : base::str("To train on: --set train.steps=", 2 * start.own->step()),
                         "; to start anew: --run-dir"));
    return train::Outcome::finished;
  }
  if (weights_only) {
    throw base::Error(
        start.own->path(),
        ": holds weights without the optimizers' state (checkpoint.final is weights), so "
        "training cannot go on exactly. Train anew with --run-dir, or branch with --from, where "
        "the "
        "optimizers start at zero");
  }
  store::remove_stale(folder.checkpoints(), held.files());
  base::remove_temporaries(folder.path(), held.files());
  made.keep();
  base::set_log_file(folder.log(), held.files());
  print_line(std::string(base::trim(start_page(prepared))) + "\n");

  Session session(std::move(prepared));
  begin(start, request.from, session, folder, held.files());
  // Only now: a start that fails leaves the folder's record as it was.
  write_record(folder, asked.source_text, session.prepared(), held.files());
  const train::TrainState& state = session.trainer().state;
  const int64_t steps = session.prepared().plan.steps;
  if (state.step >= steps) {
    print_line(base::str("finished at step ", state.step, " of ", steps, best_text(state),
                         ". To train on: --set train.steps=", 2 * steps,
                         "; to start anew: --run-dir"));
    return train::Outcome::finished;
  }
  base::log_note(base::str("starts at step ", state.step, " of ", steps));
  record::append_start(folder.history(), {state.step, changes, build_facts()}, held.files());
  const RunGuard guard(held, [&](const record::RunFolder& elsewhere) {
    write_record(elsewhere, asked.source_text, session.prepared(), base::real_file_system());
    start_record_anew(session.trainer().state);
    save(session, elsewhere, base::real_file_system());
  });
  const train::Outcome outcome = train_recorded(session, folder, guard);
  guard.check_place(base::str(outcome == train::Outcome::finished
                                  ? "The run has finished there, at step "
                                  : "The run is saved there, at step ",
                              state.step));
  return outcome;
}

void write_initial_checkpoint(const std::string& config_path,
                              const std::vector<std::string>& settings, const std::string& folder) {
  base::FileSystem& files = base::real_file_system();
  if (files.exists(folder))
    throw base::Error(folder, ": exists already; name a folder that does not");
  const config::LoadedConfig loaded = config::load_config(config_path, settings);
  tensor::start_runtime(loaded.run.threads.value_or(base::usable_processors()));
  Session session(prepare(loaded.run));
  const std::string partial = folder + ".partial";
  const std::string written = train::save_checkpoint(session.trainer(), session.optimizer_of(),
                                                     store::CheckpointWriter(files, partial, 0));
  files.rename(written, folder);
  base::remove_tree(partial);
  files.sync_directory(base::parent_path(folder));
  print_line(
      base::str(folder, "  step 0, ",
                base::human_count(static_cast<double>(session.prepared().plan.num_parameters)),
                " parameters"));
}

}  // namespace muonlab::run
