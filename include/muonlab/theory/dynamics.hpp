// How GD and Muon learn frequency groups, without and with label noise (arXiv 2602.05725).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "muonlab/config/typed.hpp"
#include "muonlab/theory/context.hpp"
#include "muonlab/theory/result.hpp"

namespace muonlab::theory {

struct DynamicsConfig {
  static constexpr std::string_view kName = "dynamics";
  static constexpr std::string_view kTitle = "Training dynamics of groups of facts";
  static constexpr std::string_view kPaper = "arXiv 2602.05725";
  static constexpr std::string_view kAbout =
      "loss of GD and Muon over time, without and with label noise, and its scaling laws";

  int64_t facts = 512;
  std::vector<int64_t> groups{4, 8, 16};
  double group_exponent = 1.5;
  double muon_step = 0.2;
  double noise = 0.1;
  double noisy_step = 0.05;
  std::vector<double> exponents{1.5, 2, 3};
  int64_t law_facts = 20000;
  std::vector<int64_t> times{50, 100, 200, 400, 800, 1600};
  int64_t seed = 1;

  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    using config::Field;
    visit("facts", self.facts,
          Field{.help = "facts K; every number of groups must divide it", .min = 8, .max = 1e6});
    visit("groups", self.groups,
          Field{.help = "numbers of frequency groups M, each of K/M facts", .min = 2, .max = 256});
    visit("group_exponent", self.group_exponent,
          Field{.help = "frequency of group i is proportional to i to minus this",
                .min = 0,
                .max = 6,
                .above_min = true});
    visit("muon_step", self.muon_step,
          Field{.help = "step size of Muon without noise", .min = 0, .max = 2, .above_min = true});
    visit(
        "noise", self.noise,
        Field{.help = "label noise a: share of answers drawn at random", .min = 1e-9, .max = 0.9});
    visit("noisy_step", self.noisy_step,
          Field{.help = "step size of Muon with noise, for the two phases",
                .min = 0,
                .max = 1,
                .above_min = true});
    visit("exponents", self.exponents,
          Field{.help = "exponents beta of the power law of frequencies, above 1",
                .min = 1,
                .max = 6,
                .above_min = true});
    visit("law_facts", self.law_facts,
          Field{.help = "facts of the scaling laws, each a group of its own for GD",
                .min = 100,
                .max = 1e7});
    visit(
        "times", self.times,
        Field{.help = "numbers of steps T of the scaling laws, ascending", .min = 10, .max = 1e6});
    visit("seed", self.seed, Field{.help = "of the random embeddings", .min = 0});
  }
  void check(const config::Fail& fail) const;
};

void run(const DynamicsConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory
