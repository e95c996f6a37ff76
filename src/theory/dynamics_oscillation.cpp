#include "dynamics_oscillation.hpp"

#include <limits>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/theory/extreme.hpp"

namespace muonlab::theory {
namespace {

// The largest excess loss of the stretch at one step size.
double largest_excess(const GroupedMemory& memory, double step, const Stretch& stretch,
                      Context& context, const std::string& what, double share) {
  GroupMatrix logits = memory.zero();
  Largest found;
  for (int64_t t = 1; t <= stretch.last; ++t) {
    context.progress(what, share);
    logits = logits.stepped(step, memory.polar(memory.gradient(logits)));
    if (t >= stretch.first) found.add(memory.excess(logits));
  }
  return found.value();
}

}  // namespace

double envelope(const GroupedMemory& memory, double optimum, const Stretch& stretch,
                Context& context, const std::string& what, double share) {
  Largest found;
  for (int phase = 0; phase < kPhases; ++phase) {
    const double way = stretch.way + static_cast<double>(phase) / kPhases;
    found.add(largest_excess(memory, optimum / way, stretch, context, what, share));
  }
  return found.value();
}

Floor floor_below(const GroupedMemory& memory, double optimum, const Stretch& stretch,
                  Context& context, const std::string& what, double share) {
  return {largest_excess(memory, optimum / (4 * stretch.way),
                         {4 * stretch.way, 4 * stretch.first, 4 * stretch.last}, context,
                         what + ", floor", share)};
}

FloorFit fit_above(const Floor& floor, const std::vector<double>& x,
                   const std::vector<double>& envelopes, const std::string& what) {
  FloorFit found{};
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!floor.above(envelopes[i])) continue;
    found.x.push_back(x[i]);
    y.push_back(envelopes[i]);
  }
  found.fit = fit_power(found.x, y);
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (found.x.size() < 3) found.fit = {kNaN, kNaN, {}};
  if (!found.x.empty()) {
    found.note = base::str("Fitted to ", what, " from ", base::significant(least_of(found.x), 3),
                           " to ", base::significant(largest_of(found.x), 3), ". ");
  }
  found.note +=
      base::str(x.size() - found.x.size(), " of ", x.size(), " points are left out, less than ",
                base::significant(Floor::kAbove, 2), " times above the floor (",
                base::significant(floor.excess, 2), " at a quarter of the least step).");
  return found;
}

}  // namespace muonlab::theory
