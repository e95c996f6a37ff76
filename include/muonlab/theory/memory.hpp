// Imbalance of what a one-layer associative memory learns of frequent and of rare facts (arXiv
// 2509.26030, sections 4 and 5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "muonlab/config/typed.hpp"
#include "muonlab/theory/context.hpp"
#include "muonlab/theory/result.hpp"

namespace muonlab::theory {

struct MemoryConfig {
  static constexpr std::string_view kName = "memory";
  static constexpr std::string_view kTitle = "Associative memory with frequent and rare facts";
  static constexpr std::string_view kPaper = "arXiv 2509.26030";
  static constexpr std::string_view kAbout =
      "how unevenly GD, SignGD and Muon learn frequent and rare facts, in one step and in many";

  int64_t facts = 999;
  int64_t head_facts = 198;
  double head_mass = 0.8;
  std::vector<std::string> embeddings{"decoupled", "coupled"};
  int64_t sweep_points = 40;
  std::vector<double> losses{5, 3, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.01};
  double gd_step = 200;
  int64_t gd_steps = 1000;
  double sign_step = 0.1;
  int64_t sign_steps = 100;
  double muon_step = 0.5;
  int64_t muon_steps = 24;
  int64_t matrix_steps = 20;
  int64_t muon_checks = 4;
  double epsilon = 0.1;
  std::vector<double> growth_facts{999, 3000, 9999, 30000, 99999, 300000, 999999};

  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    using config::Field;
    visit("facts", self.facts,
          Field{.help = "facts, and the width of the embeddings; coupled embeddings need a "
                        "multiple of 3",
                .min = 6,
                .max = 4096});
    visit("head_facts", self.head_facts, Field{.help = "facts of the frequent class", .min = 2});
    visit("head_mass", self.head_mass,
          Field{.help = "share of all occurrences that the frequent class has",
                .min = 0,
                .max = 0.999,
                .above_min = true});
    visit("embeddings", self.embeddings,
          Field{.help = "decoupled (the identity) and coupled (blocks of rotations)"});
    visit("sweep_points", self.sweep_points,
          Field{.help = "step sizes of the one-step sweep", .min = 5, .max = 2000});
    visit("losses", self.losses,
          Field{.help = "losses at which the imbalance after one step is compared",
                .min = 0,
                .above_min = true});
    visit("gd_step", self.gd_step, step_field("step size of GD's path"));
    visit("gd_steps", self.gd_steps, count_field("steps of GD's path"));
    visit("sign_step", self.sign_step, step_field("step size of SignGD's path"));
    visit("sign_steps", self.sign_steps, count_field("steps of SignGD's path"));
    visit("muon_step", self.muon_step, step_field("step size of Muon's path"));
    visit("muon_steps", self.muon_steps, count_field("steps of Muon's path"));
    visit("matrix_steps", self.matrix_steps,
          count_field("steps of GD and SignGD that are computed with whole matrices too"));
    visit("muon_checks", self.muon_checks,
          count_field("steps of Muon that are computed with whole matrices too, over its path"));
    visit("epsilon", self.epsilon,
          Field{.help = "rho is the worst fact's probability when the best one's is 1 - epsilon",
                .min = 0,
                .max = 0.5,
                .above_min = true});
    visit("growth_facts", self.growth_facts,
          Field{.help = "numbers of facts over which the growth of rho is fitted, by closed forms",
                .min = 99,
                .max = 1e9});
  }
  static config::Field step_field(std::string_view help) {
    return {.help = help, .min = 0, .above_min = true};
  }
  static config::Field count_field(std::string_view help) {
    return {.help = help, .min = 1, .max = 100000};
  }
  void check(const config::Fail& fail) const;
};

void run(const MemoryConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory
