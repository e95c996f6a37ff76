#include "training.hpp"

#include <csignal>
#include <memory>

#include "build_facts.hpp"
#include "console.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/content_check.hpp"
#include "muonlab/ops/gemm_rate.hpp"
#include "muonlab/record/history.hpp"
#include "muonlab/record/loss_doubt.hpp"
#include "muonlab/record/tensorboard.hpp"
#include "muonlab/train/metrics.hpp"
#include "probes.hpp"
#include "saver.hpp"

namespace muonlab::run {
namespace {

// Time spent on measuring the GEMM peak, once a start.
constexpr double kPeakProbe_s = 0.25;
constexpr bool kWait = true;

double gemm_peak_gflops(const train::Trainer& trainer) {
  return ops::gemm_peak_gflops(trainer.config.precision, kPeakProbe_s,
                               trainer.arena.values().device());
}

// What the terminal shows stays in log.txt as well.
void print_and_log(const std::string& text) {
  base::print_line(text);
  base::log_note(text);
}

// A checkpoint from which the run could be resumed if this process ended now; empty where there is
// none.
std::string newest_good_path(const record::RunFolder& folder, const RunGuard& guard) {
  try {
    const auto good = store::newest_good(folder.checkpoints(), {}, guard.files());
    return good ? good->path : "";
  } catch (const base::Error&) {
    return "";
  }
}

// Damage found while training: nothing that was learned from it is kept.
template <class Check>
void check_content(data::ContentCheck* content, Check check) {
  if (!content) return;
  try {
    check(*content);
  } catch (const base::Error& error) {
    throw base::Error(
        error.what(),
        ". The run stops, and what it learned since its last checkpoint is not saved");
  }
}

// Writes what the loop reports: lines of metrics and probes, the console, checkpoints.
class Recorder {
 public:
  Recorder(train::Trainer& trainer, const record::RunFolder& folder, const RunGuard& guard)
      : trainer_(trainer),
        folder_(folder),
        guard_(guard),
        metrics_(folder.metrics(), folder.timing(), trainer.state.metrics_bytes,
                 trainer.optimizer.names(), guard.files()),
        probes_(make_probes(trainer.config)),
        probe_log_(folder.path(), probes_, trainer.state, guard.files()),
        console_(trainer.plan, trainer.model.flops_per_token(),
                 gemm_peak_gflops(trainer) * trainer.processes().size()),
        saver_(trainer, folder, guard.files()) {
    if (trainer.config.log.tensorboard) {
      // Where nothing is recorded yet, a step 0 comes again.
      const int64_t keep_step = trainer.state.metrics_bytes > 0 ? trainer.state.step : -1;
      std::vector<std::string> sources{"metrics", "timing"};
      for (const auto& probe : probes_) sources.push_back(probe->name());
      tensorboard_.emplace(folder, sources, keep_step, guard.files());
    }
  }

  train::LoopEvents events() {
    train::LoopEvents events;
    events.stepped = [this](const train::StepRecord& record) {
      if (ends_for_lost_folder()) return;
      guard_.check();
      metrics_.step(record, trainer_.plan.tokens_of(record.step));
      if (tensorboard_) tensorboard_->catch_up();
      console_.stepped(record);
      settle(!kWait);
      check_content(trainer_.data.content.get(), [](data::ContentCheck& check) { check.poll(); });
    };
    events.evaluated = [this](int64_t step, const train::Evaluation& evaluation) {
      if (ends_for_lost_folder()) return;
      metrics_.evaluation(step, evaluation);
      if (tensorboard_) tensorboard_->catch_up();
      console_.evaluated(step, evaluation);
      newest_ = evaluation;
    };
    events.save = [this](train::SaveKind kind) { save(kind); };
    events.stop_requested = [this] { return stops(); };
    for (const auto& probe : probes_) events.probes.push_back(probe.get());
    events.probed = [this](const train::Probe& probe, const std::vector<std::string>& lines) {
      if (ends_for_lost_folder()) return;
      probe_log_.write(probe, lines);
      if (tensorboard_) tensorboard_->catch_up();
    };
    return events;
  }

  void finish_console() { console_.finish(); }
  // Where the run ends, its last save or what ended it counts more than one that failed.
  void finish_save() {
    try {
      settle(kWait);
    } catch (const base::IoError& failure) {
      base::log_warning(failure.what());
    }
  }
  const std::string& saved() const { return saved_; }  // the newest checkpoint
  double save_s() const { return save_s_; }            // that it took
  const train::Evaluation& newest() const { return newest_; }

 private:
  // Where the run's folder is gone, its state is rescued; of several processes, once all have
  // stopped and the state of all is here.
  bool ends_for_lost_folder() {
    if (trainer_.processes().alone() || guard_.may_write()) return false;
    trainer_.stop_here = SIGTERM;
    return true;
  }

  // Several processes stop after the step in which all of them learned of it.
  bool stops() {
    if (trainer_.processes().alone()) return base::stop_requested() != 0 || guard_.displaced();
    if (guard_.displaced()) trainer_.stop_here = SIGTERM;
    return trainer_.stop != 0;
  }

  // A periodic save is written while training continues.
  void save(train::SaveKind kind) {
    kind == train::SaveKind::last ? finish_save() : settle(kWait);
    guard_.check();
    check_content(trainer_.data.content.get(), [](data::ContentCheck& check) {
      // An interruption does not wait for shards that are still being read.
      if (base::stop_requested() == 0 || check.wait(0)) check.confirm();
    });
    trainer_.state.metrics_bytes = metrics_.sync();
    probe_log_.sync(trainer_.state);
    if (tensorboard_) tensorboard_->sync();
    if (kind == train::SaveKind::periodic) return saver_.begin();
    const base::Stopwatch watch;
    try {
      const std::string path = save_state(trainer_, folder_, guard_.files());
      note({path, watch.seconds()});
    } catch (const base::IoError&) {
      guard_.check();
      throw;
    }
  }

  void note(const Saved& saved) {
    saved_ = saved.path;
    save_s_ = saved.seconds;
    base::log_note(base::str("saved ", saved_, " (", base::human_duration(save_s_), ")"));
  }

  // Reports how the periodic save ended that is being written, if any. One that failed ends the run
  // only where the settings or the checkpoints ask for it.
  void settle(bool waits) {
    if (!saver_.is_busy() || (!waits && !saver_.has_ended())) return;
    try {
      note(saver_.wait());
    } catch (const base::IoError& failure) {
      guard_.check();
      const bool may_fail = trainer_.config.checkpoint.on_failure == config::OnSaveFailure::warn;
      const std::string older = may_fail ? newest_good_path(folder_, guard_) : "";
      if (older.empty()) throw;
      base::log_warning(failure.what(), ". Training continues; until the next save succeeds, the ",
                        "run can be resumed from ", older);
    }
  }

  train::Trainer& trainer_;
  const record::RunFolder& folder_;
  const RunGuard& guard_;
  train::MetricsLog metrics_;
  std::vector<std::unique_ptr<train::Probe>> probes_;
  train::ProbeLog probe_log_;
  Console console_;
  Saver saver_;
  std::optional<record::TensorBoardLog> tensorboard_{};
  std::string saved_;
  double save_s_ = 0;
  train::Evaluation newest_;
};

// The best validation, and honestly whether its weights are still there.
std::string describe_best(const train::TrainState& state, const record::RunFolder& folder) {
  if (state.best_step < 0) return "";
  const bool kept = base::real_file_system().exists(folder.manifest(state.best_step));
  return base::str("  best validation loss ", base::fixed(state.best_val_loss, 4), " at step ",
                   state.best_step,
                   kept ? "" : " (its weights are not kept: checkpoint.best is off)");
}

std::string describe_interruption(const train::Trainer& trainer, const Recorder& recorder,
                                  const record::RunFolder& folder) {
  return base::str(base::signal_name(std::max(base::stop_requested(), trainer.stop)), "  saved ",
                   recorder.saved(), " (", base::human_duration(recorder.save_s()),
                   "). Resume with: muonlab train --resume ", folder.path());
}

std::string what_to_do(const record::RunFolder& folder, const RunGuard& guard) {
  const std::string good = newest_good_path(folder, guard);
  if (good.empty()) {
    return "There is no good checkpoint. Lower the learning rate or set train.clip, and start a "
           "new "
           "run.";
  }
  return base::str("The last good checkpoint is ", good,
                   ". Resume from it with a lower learning rate or with train.clip (add "
                   "--allow-change), or start a new run with --run-dir.");
}

record::RunEnd describe_end(train::Outcome outcome, const train::Trainer& trainer,
                            const Recorder& recorder, const record::RunFolder& folder) {
  record::RunEnd end{.step = trainer.state.step};
  if (outcome == train::Outcome::interrupted) {
    end.outcome = record::RunOutcome::interrupted;
    print_and_log(describe_interruption(trainer, recorder, folder));
    return end;
  }
  end.warning = record::loss_warning(recorder.newest().loss, *trainer.config.model.vocabulary,
                                     trainer.state.best_val_loss);
  print_and_log("done   " + recorder.saved() + describe_best(trainer.state, folder));
  if (!end.warning.empty()) base::log_warning(end.warning);
  return end;
}

train::Outcome train_recorded(train::Trainer& trainer, const record::RunFolder& folder,
                              const RunGuard& guard) {
  Recorder recorder(trainer, folder, guard);
  try {
    const train::Outcome outcome = train::run_loop(trainer, recorder.events());
    recorder.finish_console();
    record::RunEnd end{.step = trainer.state.step,
                       .outcome = outcome == train::Outcome::finished
                                      ? record::RunOutcome::finished
                                      : record::RunOutcome::interrupted};
    // Of a folder that was moved the end is told with where it is.
    if (!guard.displaced()) end = describe_end(outcome, trainer, recorder, folder);
    record::append_end(folder.history(), end, guard.files());
    return outcome;
  } catch (const base::NonFinite& error) {
    recorder.finish_console();
    recorder.finish_save();
    base::log_note(error.what());
    throw base::NonFinite(error.what(), " ", what_to_do(folder, guard));
  }
}

// A full disk may be why the training failed: then its end is not noted either.
void note_failure(const record::RunFolder& folder, int64_t step, record::RunOutcome outcome,
                  const RunGuard& guard) {
  try {
    if (guard.may_write())
      record::append_end(folder.history(), {.step = step, .outcome = outcome}, guard.files());
  } catch (const base::Error& error) {
    base::log_warning(error.what());
  }
}

}  // namespace

train::Outcome train_to_end(Session& session, const record::RunFolder& folder,
                            const std::vector<record::Change>& changes, const RunGuard& guard) {
  train::Trainer& trainer = session.trainer();
  base::log_note(base::str("starts at step ", trainer.state.step, " of ", trainer.plan.steps));
  record::append_start(folder.history(), {trainer.state.step, changes, build_facts()},
                       guard.files());
  try {
    return train_recorded(trainer, folder, guard);
  } catch (const base::NonFinite&) {
    note_failure(folder, trainer.state.step, record::RunOutcome::diverged, guard);
    throw;
  } catch (...) {
    note_failure(folder, trainer.state.step, record::RunOutcome::failed, guard);
    throw;
  }
}

}  // namespace muonlab::run
