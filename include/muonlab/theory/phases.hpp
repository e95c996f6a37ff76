// SignSVD (Muon without momentum) against SignSGD on matrix least squares with power-law spectra
// (arXiv 2605.09552).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "muonlab/config/typed.hpp"
#include "muonlab/theory/context.hpp"
#include "muonlab/theory/result.hpp"

namespace muonlab::theory {

struct PhasesConfig {
  static constexpr std::string_view kName = "phases";
  static constexpr std::string_view kTitle = "When SignSVD eclipses SignSGD";
  static constexpr std::string_view kPaper = "arXiv 2605.09552";
  static constexpr std::string_view kAbout =
      "noise floors, drifts and losses of SignSVD and SignSGD on matrix least squares, simulated "
      "and by deterministic equations, and which of them wins early and late";

  int64_t outputs = 128;
  int64_t inputs = 32;
  int64_t batch = 512;
  int64_t steps = 400;
  int64_t floor_steps = 240;
  int64_t drift_size = 64;
  double drift_exponent = 1.5;
  int64_t drift_batches = 400;
  int64_t map_inputs = 2000;
  std::vector<double> map_covariance{0.6, 1.5, 2.5};
  std::vector<double> map_target{0, 0.5, 1, 2};

  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    using config::Field;
    visit("outputs", self.outputs, Field{.help = "rows of the matrix", .min = 2, .max = 1024});
    visit("inputs", self.inputs,
          Field{.help = "columns; fewer than outputs, which the equations suppose",
                .min = 2,
                .max = 512});
    visit("batch", self.batch, Field{.help = "samples of a step", .min = 2, .max = 100000});
    visit("steps", self.steps, Field{.help = "steps of a simulation", .min = 20, .max = 100000});
    visit("floor_steps", self.floor_steps,
          Field{.help = "steps at a constant learning rate, of which the last two thirds count",
                .min = 30,
                .max = 100000});
    visit("drift_size", self.drift_size,
          Field{.help = "rows and columns where drifts are measured", .min = 52, .max = 512});
    visit(
        "drift_exponent", self.drift_exponent,
        Field{.help = "eigenvalues there are j^-exponent", .min = 0, .max = 6, .above_min = true});
    visit("drift_batches", self.drift_batches,
          Field{.help = "batches over which a drift is averaged", .min = 10, .max = 100000});
    visit("map_inputs", self.map_inputs,
          Field{.help = "columns where the equations are integrated", .min = 50, .max = 100000});
    visit("map_covariance", self.map_covariance,
          Field{.help = "exponents a of the map: eigenvalues j^-a; positive"});
    visit("map_target", self.map_target,
          Field{.help = "exponents b of the map: errors at the start j^(-2b); not negative"});
  }
  void check(const config::Fail& fail) const;
};

void run(const PhasesConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory
