// How many steps update rules need to leave a saddle, by the size of the matrix (arXiv 2605.09331).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "muonlab/config/typed.hpp"
#include "muonlab/theory/context.hpp"
#include "muonlab/theory/result.hpp"

namespace muonlab::theory {

struct SaddleConfig {
  static constexpr std::string_view kName = "saddle";
  static constexpr std::string_view kTitle = "Leaving a saddle, by dimension";
  static constexpr std::string_view kPaper = "arXiv 2605.09331";
  static constexpr std::string_view kAbout =
      "steps that GD, SignGD, Adam and Muon need to leave a saddle, against the matrix size";

  std::vector<int64_t> sizes{16, 32, 64, 128, 256, 512};
  std::vector<int64_t> entry_sizes{16, 32, 64, 128, 256};
  int64_t seeds = 3;
  double curvature = 1;
  double noise = 1;
  double step = 1;
  double distance = 20;
  double start_with_gap = 4;
  double start_without_gap = 0.25;
  int64_t max_steps = 2000;
  std::vector<int64_t> factor_sizes{16, 32, 64, 128};
  std::vector<double> factor_starts{1e-2, 1e-4, 1e-6};
  int64_t seed = 1;

  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    using config::Field;
    const auto positive = [](std::string_view help) {
      return Field{.help = help, .min = 0, .above_min = true};
    };
    visit("sizes", self.sizes,
          Field{.help = "sizes n of the n x n matrix, ascending", .min = 4, .max = 2048});
    visit("entry_sizes", self.entry_sizes,
          Field{.help = "sizes for steps whose entries have RMS step/n, which take many more steps",
                .min = 4,
                .max = 2048});
    visit("seeds", self.seeds,
          Field{.help = "repetitions; sizes from 512 on have one", .min = 1, .max = 100});
    visit("curvature", self.curvature, positive("mu, the negative curvature along the escape"));
    visit("noise", self.noise, positive("sigma, standard deviation of the gradient's entries"));
    visit("step", self.step, positive("step size eta of Muon; the others' follow from it"));
    visit("distance", self.distance, positive("how far from its start the iterate has left"));
    visit("start_with_gap", self.start_with_gap,
          positive("start above the noise, in units of sigma sqrt(n) / mu"));
    visit("start_without_gap", self.start_without_gap,
          positive("start below the noise, in the same units"));
    visit("max_steps", self.max_steps,
          Field{.help = "steps after which a run counts as not escaped", .min = 10, .max = 1e6});
    visit("factor_sizes", self.factor_sizes,
          Field{.help = "widths of the two-layer factorization", .min = 8, .max = 1024});
    visit("factor_starts", self.factor_starts,
          Field{.help = "scales of its initial entries, descending",
                .min = 0,
                .max = 0.1,
                .above_min = true});
    visit("seed", self.seed, Field{.help = "of all noise", .min = 0});
  }
  void check(const config::Fail& fail) const;
};

void run(const SaddleConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory
