#include "muonlab/theory/claim.hpp"

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::theory {

std::string figure_text(double value) {
  if (std::isnan(value)) return "none";
  return base::significant(value, 5);
}

std::string accepted_text(const base::Interval& accepted) {
  const bool low = std::isfinite(accepted.low), high = std::isfinite(accepted.high);
  if (low && high) {
    if (accepted.low == accepted.high) return "exactly " + figure_text(accepted.low);
    return base::str(figure_text(accepted.low), " to ", figure_text(accepted.high));
  }
  if (low) return "≥ " + figure_text(accepted.low);
  if (high) return "≤ " + figure_text(accepted.high);
  return "anything";
}

}  // namespace muonlab::theory
