// What a run measures beside the loss. A probe that is not named is off; its name alone, {"spectra": {}}, turns it on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/config/field.hpp"

namespace muonlab::config {

struct SpectraConfig {
  int64_t every = 50;
  std::vector<std::string> params{"matrices"};
  bool operator==(const SpectraConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("every", self.every, Field{.help = "steps between measurements; the first and the last step are measured too",
                                     .min = 1});
    visit("params", self.params, Field{.help = "the matrices to measure, in the words of assign"});
  }
};

struct ProbesConfig {
  std::optional<SpectraConfig> spectra;
  bool operator==(const ProbesConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("spectra", self.spectra, Field{.help = "singular values of weights; off unless named"});
  }
};

}  // namespace muonlab::config
