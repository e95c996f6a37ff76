// What a step that is not finite ends with.
#pragma once

#include "muonlab/train/step.hpp"

namespace muonlab::train {

// Throws base::NonFinite. Names the culprit, so that the message says more than "nan".
[[noreturn]] void throw_non_finite(Trainer& trainer, const StepRecord& record);

}  // namespace muonlab::train
