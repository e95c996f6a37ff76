// Whether a final loss, though finite, says more about a run that broke than about its settings.
#pragma once

#include <cstdint>
#include <string>

namespace muonlab::record {

// Compared with ln V, the loss of a model that gives every token of a vocabulary V the same
// probability.
enum class LossDoubt {
  none,
  uniform,   // exactly ln V: every token gets the same probability, so nothing was learned
  exploded,  // more than one nat above ln V
  unlearned  // above ln V and above the run's own best validation
};

// `best_loss` is that of the run's best validation; without it, unlearned is not found. A
// vocabulary below 2 is taken as unknown: no doubt. A short run whose loss has not yet come below
// that of its fresh model is not doubted.
LossDoubt doubt_of(double final_loss, int64_t vocabulary);
LossDoubt doubt_of(double final_loss, int64_t vocabulary, double best_loss);
const char* doubt_text(LossDoubt doubt);  // "the loss exploded"; empty for none

// What to say at the end of a run, with the remedy; empty where there is no doubt.
std::string loss_warning(double final_loss, int64_t vocabulary, double best_loss);

}  // namespace muonlab::record
