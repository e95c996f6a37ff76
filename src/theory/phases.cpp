#include "muonlab/theory/phases.hpp"

#include "muonlab/base/error.hpp"
#include "phases_parts.hpp"

namespace muonlab::theory {

void PhasesConfig::check(const config::Fail& fail) const {
  if (inputs >= outputs) fail("inputs", base::str(inputs, " is not below outputs (", outputs, ")"));
  if (map_covariance.empty()) fail("map_covariance", "is empty");
  if (map_target.empty()) fail("map_target", "is empty");
  for (const double a : map_covariance) {
    if (!(a > 0 && a <= 6)) fail("map_covariance", base::str(a, " is not above 0 and at most 6"));
  }
  for (const double b : map_target) {
    if (!(b >= 0 && b <= 6)) fail("map_target", base::str(b, " is not between 0 and 6"));
  }
}

void run(const PhasesConfig& config, Context& context, Result& result) {
  result.remarks = {
      "The full text of the paper could not be obtained. Its abstract says that there are three "
      "regions in the plane of the two exponents; the equations, their limits and the boundaries "
      "drawn here are ours, and so is every range.",
      "Labels are y = x_out^T W x_in without noise, as in a precursor's program. Eigenvalues of "
      "the "
      "covariance of x_in are j^-a, errors at the start j^(-2b). SignSVD is the polar factor of a "
      "batch's gradient, SignSGD its sign in a basis that is turned at random. Time s counts steps "
      "times batch over outputs.",
      "The square root of the covariance appears where the batch's noise is larger than the "
      "signal. "
      "With the whole population the polar factor does not depend on the covariance at all."};
  phases::run_map(config, context, result);
  phases::run_simulations(config, context, result);
  phases::run_drifts(config, context, result);
}

}  // namespace muonlab::theory
