// What a step has in common on every path.
#pragma once

#include "muonlab/train/gradient_sum.hpp"
#include "muonlab/train/step.hpp"

namespace muonlab::train {

// The trainer's, made at the first step.
GradientSum& gradient_sum(Trainer& trainer);

// Throws base::NonFinite. Names the culprit, so that the message says more than "nan".
[[noreturn]] void throw_non_finite(Trainer& trainer, const StepRecord& record);

// Where one of several processes was asked to stop, all know it from here on: trainer.stop.
void share_stop(Trainer& trainer);

// After the update: step, tokens and next sample of the state, the average of weights, and the
// record's total_s.
void finish_step(Trainer& trainer, StepRecord& record);

}  // namespace muonlab::train
