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
  int64_t sweep_points = 60;

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
          Field{.help = "frequency of the frequent class in all, below 1",
                .min = 0,
                .max = 0.999,
                .above_min = true});
    visit("embeddings", self.embeddings, Field{.help = "decoupled (identity) and coupled (blocks of rotations)"});
    visit("sweep_points", self.sweep_points,
          Field{.help = "step sizes of the one-step sweep", .min = 5, .max = 2000});
  }
  void check(const config::Fail& fail) const;
};

void run(const MemoryConfig& config, Context& context, Result& result);

}  // namespace muonlab::theory
