// What is wrong with a final loss that is finite.
#pragma once

#include <cstdint>
#include <string>

namespace muonlab::record {

// A model that gives every token the same probability has the loss ln(vocabulary). A run that ends
// above it, and above its own best validation or by more than one nat, has learned nothing or has
// exploded: the text says so. Otherwise empty, also for a short run whose loss has not yet come
// below it.
std::string loss_warning(double final_loss, double best_loss, int64_t vocabulary);

}  // namespace muonlab::record
