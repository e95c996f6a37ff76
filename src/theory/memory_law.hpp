// Closed forms of one step from W = 0 in the associative memory, and how the worst fact's
// probability falls with the number of facts.
#pragma once

#include <array>
#include <string_view>

#include "two_classes.hpp"

namespace muonlab::theory {

enum class MemoryRule { gd, sign, muon };
std::string_view rule_name(MemoryRule rule);

// Of the two-class reduction, which is exact for decoupled embeddings, and for GD and Muon with any
// orthonormal ones.
TwoClassMatrix direction(const TwoClasses& classes, MemoryRule rule, const TwoClassMatrix& logits);

// Logits a unit of step after one step from W = 0.
TwoClassMatrix one_step_logits(const TwoClasses& classes, MemoryRule rule);
// The step after which the loss is `loss`; NaN if one step cannot reach it.
double step_for_loss(const TwoClasses& classes, const TwoClassMatrix& unit_logits, double loss);

// Correct probabilities after one step of SignGD with coupled embeddings, by the key's place in its
// block of three.
std::array<double, 3> coupled_sign_probability(double facts, double step);
struct CoupledFloor {
  double loss, step;
};
// The least loss that one such step can reach.
CoupledFloor coupled_sign_floor(double facts);

// rho: the worst correct probability at the smallest step after which some fact's is 1 - epsilon.
double worst_probability(const TwoClasses& classes, MemoryRule rule, double epsilon);
double worst_probability_coupled_sign(double facts, double epsilon);

}  // namespace muonlab::theory
