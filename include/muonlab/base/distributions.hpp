// The normal and Student's t distribution, in double. Arguments outside their range give NaN.
#pragma once

namespace muonlab::base {

double normal_cdf(double z);
double normal_quantile(double p);  // 0 < p < 1; relative error about 1e-14

// df > 0 degrees of freedom, not necessarily whole. Relative error below 1e-12 for df up to 1000,
// in both tails.
double student_t_cdf(double t, double df);
double student_t_quantile(double p, double df);     // 0 < p < 1
double student_t_two_sided_p(double t, double df);  // P(|T| >= |t|)

}  // namespace muonlab::base
