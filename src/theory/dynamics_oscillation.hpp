// How high Muon's excess loss is where it steps over the optimum again and again.
#pragma once

#include <string>
#include <vector>

#include "groups.hpp"
#include "muonlab/theory/context.hpp"
#include "muonlab/theory/fit.hpp"

namespace muonlab::theory {

// A stretch of Muon's path that is about `way` steps long up to the optimum.
struct Stretch {
  double way;           // steps to the optimum: the step size is z* / way
  int64_t first, last;  // iterates that are looked at
};

// The largest excess loss over the stretch and over kPhases step sizes, whose ways to the optimum
// differ by less than a step. Where the last step before the optimum happens to end decides by how
// much an iterate is off, within a factor of four of the excess; the envelope does not depend on
// it.
inline constexpr int kPhases = 8;
double envelope(const GroupedMemory& memory, double optimum, const Stretch& stretch,
                Context& context, const std::string& what, double share);

// The excess does not fall below a floor that depends on the number of facts: Muon's direction is
// the identity only up to O(1/C). A step four times smaller than the least step shows it.
struct Floor {
  double excess;
  bool above(double envelope) const { return envelope >= kAbove * excess; }
  // Without a floor, a law of η² puts this excess 16 times below the least envelope, so that no
  // point is left out; nor with an exponent above 0.8.
  static constexpr double kAbove = 3;
};
Floor floor_below(const GroupedMemory& memory, double optimum, const Stretch& stretch,
                  Context& context, const std::string& what, double share);

// The law over the points above the floor. Its slope is NaN for fewer than three of them.
struct FloorFit {
  Fit fit;
  std::vector<double> x;  // of the points above the floor
  std::string note;       // what was left out
};
FloorFit fit_above(const Floor& floor, const std::vector<double>& x,
                   const std::vector<double>& envelopes, const std::string& what);

}  // namespace muonlab::theory
