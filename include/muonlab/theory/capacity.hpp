// How many facts one step, and several, put into an associative memory with Gaussian embeddings
// (arXiv 2603.26554).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "muonlab/config/typed.hpp"
#include "muonlab/theory/context.hpp"
#include "muonlab/theory/result.hpp"

namespace muonlab::theory {

struct CapacityConfig {
  static constexpr std::string_view kName = "capacity";
  static constexpr std::string_view kTitle = "Capacity of one step, and of several";
  static constexpr std::string_view kPaper = "arXiv 2603.26554";
  static constexpr std::string_view kAbout =
      "how many of the most frequent facts a memory with more facts than dimensions recovers after "
      "one step of SGD, SignSGD, Muon, regularized Muon and Newton, and after several of Muon";

  double alpha = 1.25;
  std::vector<int64_t> widths{24, 34, 48, 68, 96, 136, 192, 240};
  int64_t max_facts = 12288;
  int64_t seeds = 3;
  std::vector<int64_t> batch_widths{24, 34, 48, 68};
  std::vector<int64_t> path_widths{12, 16, 24, 32, 48};
  int64_t path_steps = 6;
  int64_t path_seeds = 3;
  double step_factor = 1.0;
  double lambda_factor = 1.0;

  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    using config::Field;
    visit("alpha", self.alpha,
          Field{.help = "frequencies fall like rank^-alpha; above 1, so that they have a sum",
                .min = 1,
                .max = 4,
                .above_min = true});
    visit("widths", self.widths, Field{.help = "widths d of the embeddings, after one step"});
    visit("max_facts", self.max_facts,
          Field{.help = "facts are d^2, but at most as many as this", .min = 16, .max = 100000});
    visit("seeds", self.seeds,
          Field{.help = "embeddings drawn at each width", .min = 1, .max = 100});
    visit("batch_widths", self.batch_widths,
          Field{.help = "widths at which the number of samples in the batch varies"});
    visit("path_widths", self.path_widths, Field{.help = "widths for several steps"});
    visit("path_steps", self.path_steps, Field{.help = "steps of a path", .min = 2, .max = 50});
    visit("path_seeds", self.path_seeds,
          Field{.help = "embeddings drawn at each width of a path", .min = 1, .max = 100});
    visit(
        "step_factor", self.step_factor,
        Field{.help = "step size of a path over d^(1/2)", .min = 0, .max = 1e3, .above_min = true});
    visit("lambda_factor", self.lambda_factor,
          Field{.help = "regularization of a path over p_1 d^(1/2) d_t^-alpha",
                .min = 0,
                .max = 1e6,
                .above_min = true});
  }
  void check(const config::Fail& fail) const;
};

// Exponent x_t with d^(x_t) facts after t steps of Muon, by theorem "multi": 1 + 1/(2 alpha) after
// one, rising to 2.
double capacity_exponent(double alpha, int64_t steps);

void run(const CapacityConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory
