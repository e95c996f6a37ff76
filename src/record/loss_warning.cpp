#include "muonlab/record/loss_warning.hpp"

#include <cmath>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::record {

std::string loss_warning(double final_loss, double best_loss, int64_t vocabulary) {
  constexpr double kMargin = 1.0;  // nats; a wide model may begin this far above
  const double guessing = std::log(static_cast<double>(vocabulary));
  if (final_loss <= guessing) return "";
  if (final_loss <= best_loss && final_loss <= guessing + kMargin) return "";
  return base::str(
      "the final validation loss ", base::fixed(final_loss, 4), " is above ",
      base::fixed(guessing, 4),
      ", which giving every token the same probability would have: the run has learned "
      "nothing, or its loss has exploded. Lower the learning rate or set train.clip");
}

}  // namespace muonlab::record
