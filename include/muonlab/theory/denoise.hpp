// Orthogonalize an average of gradients, or average orthogonalized gradients (arXiv 2606.03899).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/config/typed.hpp"
#include "muonlab/theory/context.hpp"
#include "muonlab/theory/result.hpp"

namespace muonlab::theory {

struct DenoiseConfig {
  static constexpr std::string_view kName = "denoise";
  static constexpr std::string_view kTitle = "Average first, or orthogonalize first";
  static constexpr std::string_view kPaper = "arXiv 2606.03899";
  static constexpr std::string_view kAbout =
      "how well an update is aligned with a low-rank signal when noisy gradients are averaged "
      "before they are orthogonalized, after it, or not at all";

  int64_t rows = 100;
  int64_t columns = 100;
  int64_t gradients = 1000;
  int64_t seeds = 10;
  int64_t signal_seed = 123;
  std::vector<int64_t> ranks{1, 3, 5, 10, 15};
  double beta = 0.95;
  double noise = 1.0;
  int64_t betas = 38;
  int64_t noise_levels = 21;
  double arch = 0.3;
  int64_t window = 40;

  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    using config::Field;
    visit("rows", self.rows, Field{.help = "rows of a gradient", .min = 2, .max = 2048});
    visit("columns", self.columns, Field{.help = "columns of a gradient", .min = 2, .max = 2048});
    visit("gradients", self.gradients,
          Field{.help = "noisy gradients of a signal that stays the same", .min = 2, .max = 20000});
    visit("seeds", self.seeds, Field{.help = "series of noise", .min = 1, .max = 1000});
    visit("signal_seed", self.signal_seed, Field{.help = "seed of the signal's singular vectors"});
    visit("ranks", self.ranks,
          Field{.help = "ranks of the signal; its singular values are the paper's for 1, 3, 5, 10 "
                        "and 15, and otherwise fall evenly from 12 to 4"});
    visit("beta", self.beta,
          Field{.help = "decay of the average where the noise varies", .min = 0, .max = 0.9999});
    visit("noise", self.noise,
          Field{.help = "standard deviation of an entry's noise where beta varies",
                .min = 0,
                .max = 1e6,
                .above_min = true});
    visit("betas", self.betas, Field{.help = "decays from 0 to 0.995", .min = 4, .max = 500});
    visit("noise_levels", self.noise_levels,
          Field{.help = "standard deviations from 0.2 to 5", .min = 2, .max = 500});
    visit("arch", self.arch,
          Field{.help = "how much an entry's variance follows its last square (ARCH(1))",
                .min = 0,
                .max = 0.57});
    visit("window", self.window,
          Field{.help = "last gradients that are orthogonalized one by one", .min = 1});
  }
  void check(const config::Fail& fail) const;
};

// Singular values of the signal of a rank, the largest first.
std::vector<double> denoise_signal(int64_t rank);
// Entries of `count` noise matrices of rows x columns, [count, rows, columns]: standard deviation 1
// each, with variances 1 - arch + arch * (last value)².
at::Tensor arch_noise(int64_t count, int64_t rows, int64_t columns, double arch, int64_t seed);

void run(const DenoiseConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory
