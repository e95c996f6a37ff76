// The loop: steps, and between them what is due. It decides when; the callbacks do.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "muonlab/train/evaluation.hpp"
#include "muonlab/train/probe.hpp"
#include "muonlab/train/step.hpp"

namespace muonlab::train {

enum class Outcome { finished, interrupted };

enum class SaveKind {
  periodic,
  last  // of the run or of this process: what it does not save is lost
};

struct LoopEvents {
  std::function<void(const StepRecord&)> stepped;
  std::function<void(int64_t step, const Evaluation&)> evaluated;
  std::function<void(SaveKind)> save;    // makes a checkpoint of the trainer's state
  std::function<bool()> stop_requested;  // asked after every step
  std::vector<Probe*> probes{};          // of every process alike; rank 0 measures
  std::function<void(const Probe&, const std::vector<std::string>& lines)> probed{};
};

// Order within a step: update, record, evaluation if due, probes that are due, checkpoint if due. A
// fresh run is evaluated and probed at step 0. The last step is always evaluated, probed and saved;
// an interruption saves and leaves. A state already on disk is not saved again. With
// checkpoint.best a state whose validation is the best so far is saved, that of step 0 included.
// Throws NonFinite, after the record and before a save, where a validation is not finite or a model
// that has told tokens apart gives every token the same probability.
Outcome run_loop(Trainer& trainer, const LoopEvents& events);

}  // namespace muonlab::train
