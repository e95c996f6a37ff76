#include "muonlab/train/loop.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

#include "muonlab/base/hash.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/train/shared_out.hpp"

namespace muonlab::train {
namespace {

bool due(int64_t every, int64_t step) { return every > 0 && step % every == 0; }

// True when this evaluation is the best so far; remembers it.
bool note_best(TrainState& state, const Evaluation& evaluation) {
  if (!(evaluation.loss < state.best_val_loss)) return false;
  state.best_val_loss = evaluation.loss;
  state.best_step = state.step;
  return true;
}

// Refuses validations that say nothing any more. The state they are of is not saved, so that the
// last checkpoint stays good.
class Soundness {
 public:
  Soundness(int64_t vocabulary, const TrainState& state)
      : guess_(std::log(static_cast<double>(vocabulary))) {
    if (state.best_step >= 0) see(state.best_val_loss, kExact);
  }

  void stepped(double loss) { see(loss, kRounded); }

  void require(int64_t step, const Evaluation& evaluation) {
    if (!std::isfinite(evaluation.loss)) {
      throw base::NonFinite("step ", step, ": validation loss ", base::exact(evaluation.loss),
                            "; the state after this step was not saved.");
    }
    // Equal losses alone would also be those of a text of one repeated token.
    const bool guesses = evaluation.uniform && is_guess(evaluation.loss, kExact);
    if (guesses && told_apart_) {
      throw base::NonFinite("step ", step, ": the model gives every token the same probability (",
                            "validation loss ", evaluation.loss,
                            "), as it does when its activations overflow; the state after this ",
                            "step was not saved.");
    }
    told_apart_ |= !guesses;
  }

 private:
  // Relative to the loss; that of a step is a mean of fp32.
  static constexpr double kExact = 1e-6, kRounded = 1e-5;

  bool is_guess(double loss, double tolerance) const {
    return std::abs(loss - guess_) <= tolerance * guess_;
  }
  void see(double loss, double tolerance) { told_apart_ |= !is_guess(loss, tolerance); }

  double guess_;  // the loss of equal probabilities
  // Whether the model has ever told tokens apart: a head that begins with zeros does not at first,
  // and is sound.
  bool told_apart_ = false;
};

// All processes have the same weights, most of them from each other; where a processor, a memory or
// a connection failed, they would drift apart unseen.
void require_equal_weights(Trainer& trainer) {
  comm::Communicator& processes = trainer.processes();
  if (processes.alone()) return;
  const at::Tensor values = trainer.arena.values().cpu();
  const auto* bytes = static_cast<const std::byte*>(values.const_data_ptr());
  const std::vector<std::string> hashes =
      processes.all_gather(base::hash_bytes({bytes, values.nbytes()}).hex());
  for (int rank = 1; rank < processes.size(); ++rank) {
    if (hashes[static_cast<size_t>(rank)] == hashes[0]) continue;
    throw base::Error("step ", trainer.state.step, ": the weights of ", processes.name(rank),
                      " differ from those of ", processes.name(0),
                      ", so one of the two computes wrongly; nothing was saved since the last "
                      "checkpoint");
  }
}

}  // namespace

Outcome run_loop(Trainer& trainer, const LoopEvents& events) {
  TrainState& state = trainer.state;
  const int64_t steps = trainer.plan.steps;
  Soundness soundness(*trainer.config.model.vocabulary, state);
  const auto run_evaluation = [&] {
    const Evaluation evaluation = evaluate(trainer);
    events.evaluated(state.step, evaluation);
    soundness.require(state.step, evaluation);
    return note_best(state, evaluation);
  };

  const auto probe_due = [&](const Probe& probe, int64_t step) {
    return step == 0 || step == steps || due(probe.every(), step);
  };
  const bool measures = trainer.processes().rank() == 0;
  const auto run_probes = [&] {
    std::vector<Probe*> now;
    std::copy_if(events.probes.begin(), events.probes.end(), std::back_inserter(now),
                 [&](Probe* probe) { return probe_due(*probe, state.step); });
    if (state.step > 0 && !now.empty()) collect_gradients(trainer);
    if (state.step > 0 &&
        std::any_of(now.begin(), now.end(), [](Probe* p) { return p->reads_state(); }))
      collect_state(trainer);
    for (Probe* probe : now) {
      if (measures) events.probed(*probe, probe->measure(trainer));
    }
  };

  // A state of step 0 that was saved as the best so far has been evaluated and probed.
  if (state.step == 0 && state.best_step < 0) {
    const bool is_best = run_evaluation();
    run_probes();
    if (is_best && trainer.config.checkpoint.best) events.save(SaveKind::periodic);
  }
  while (state.step < steps) {
    for (Probe* probe : events.probes) {
      if (measures && probe_due(*probe, state.step + 1)) probe->before_step(trainer);
    }
    const StepRecord record = train_step(trainer);
    soundness.stepped(record.loss);
    events.stepped(record);
    const bool last = state.step == steps;
    bool save = last || due(trainer.config.checkpoint.every, state.step);
    if (last || due(trainer.config.eval.every, state.step)) {
      save |= run_evaluation() && trainer.config.checkpoint.best;
    }
    run_probes();
    const bool stop = !last && events.stop_requested();
    if (save || stop) {
      require_equal_weights(trainer);
      collect_state(trainer);
    }
    if (save || stop) events.save(last || stop ? SaveKind::last : SaveKind::periodic);
    if (stop) return Outcome::interrupted;
  }
  return Outcome::finished;
}

}  // namespace muonlab::train
