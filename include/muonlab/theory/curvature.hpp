// How much the loss curves along the updates of Adam, gradient descent and Muon (arXiv 2606.04662).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "muonlab/config/typed.hpp"
#include "muonlab/theory/context.hpp"
#include "muonlab/theory/result.hpp"

namespace muonlab::theory {

struct CurvatureConfig {
  static constexpr std::string_view kName = "curvature";
  static constexpr std::string_view kTitle = "Curvature along the updates";
  static constexpr std::string_view kPaper = "arXiv 2606.04662";
  static constexpr std::string_view kAbout =
      "how much the loss curves along updates: of gradient descent and Muon on the paper's "
      "quadratic, and of Adam and Muon on a small transformer and texts of three Zipf exponents";

  int64_t modes = 20;
  int64_t sharp_modes = 2;
  double sharp_curvature = 20;
  double flat_curvature = 1;
  double sharp_gradient = 3;
  double flat_gradient = 1;
  int64_t draws = 500;
  int64_t many_seeds = 20;
  std::vector<double> zipf{0, 0.5, 1};
  int64_t text_seeds = 2;
  int64_t steps = 240;
  int64_t every = 20;
  double adam_lr = 0.003;
  double muon_lr = 0.02;

  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    using config::Field;
    visit("modes", self.modes,
          Field{.help = "rank-one modes of the quadratic", .min = 3, .max = 100000});
    visit("sharp_modes", self.sharp_modes,
          Field{.help = "modes of large curvature; fewer than half of all", .min = 1});
    const auto positive = [](const char* help) {
      return Field{.help = help, .min = 0, .max = 1e9, .above_min = true};
    };
    visit("sharp_curvature", self.sharp_curvature, positive("curvature of the sharp modes"));
    visit("flat_curvature", self.flat_curvature, positive("curvature of the other modes"));
    visit("sharp_gradient", self.sharp_gradient, positive("first gradient of a sharp mode"));
    visit("flat_gradient", self.flat_gradient, positive("first gradient of another mode"));
    visit(
        "draws", self.draws,
        Field{
            .help = "quadratics drawn at random to check the theorem on", .min = 1, .max = 100000});
    visit("many_seeds", self.many_seeds,
          Field{.help = "quadratics with 88 modes of falling curvature", .min = 1, .max = 1000});
    visit("zipf", self.zipf,
          Field{.help = "exponents of the token frequencies; none: no transformer"});
    visit("text_seeds", self.text_seeds,
          Field{.help = "texts and initial weights", .min = 1, .max = 50});
    visit("steps", self.steps, Field{.help = "training steps", .min = 10, .max = 100000});
    visit("every", self.every, Field{.help = "steps between measurements", .min = 1});
    visit("adam_lr", self.adam_lr, positive("learning rate of Adam"));
    visit("muon_lr", self.muon_lr, positive("learning rate of Muon on the matrices"));
  }
  void check(const config::Fail& fail) const;
};

void run(const CurvatureConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory
