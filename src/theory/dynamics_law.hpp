// The exact scalar recursions of one fact's logit gap z, with p(z) = e^z / (e^z + K - 1) and the
// target p* = 1 - a + a/K.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace muonlab::theory {

class GapLaw {
 public:
  GapLaw(double facts, double noise);

  double target() const { return target_; }    // p*
  double optimum() const { return optimum_; }  // z*; infinite without noise
  double probability(double gap) const;        // p(z)
  double excess(double gap) const;             // of a fact's loss over the least possible
  // Of GD on the population gradient; `step` times the fact's frequency.
  double gd(double gap, double step_times_frequency) const;
  double muon(double gap, double step) const;  // to leading order in 1/C
  // Largest excess of a gap within one step of the optimum, to leading order in the step.
  double oscillation(double step) const;

 private:
  double facts_, noise_, target_, optimum_;
};

// GD's excess loss after each of the given numbers of steps (ascending), over all groups of
// frequency p; the step is 1 / (the largest frequency of a fact). tick() is called several times a
// second.
std::vector<double> gd_excess(
    const GapLaw& law, std::span<const double> p, std::span<const int64_t> steps,
    const std::function<void()>& tick = [] {});

}  // namespace muonlab::theory
