#include "muonlab/theory/context.hpp"

#include <algorithm>

#include "muonlab/base/error.hpp"
#include "muonlab/base/signals.hpp"

namespace muonlab::theory {

void Context::progress(std::string_view what, double share) {
  if (base::stop_requested() != 0) throw Interrupted{};
  if (label_.empty()) return;
  const int percent = static_cast<int>(100 * std::clamp(share, 0.0, 1.0));
  live_.update(base::str(label_, "  ", what, "  ", percent, " %"));
}

}  // namespace muonlab::theory
