// What a run measures beside the loss. A probe that is not named is off; its name alone,
// {"spectra": {}}, turns it on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/config/field.hpp"

namespace muonlab::config {

struct SpectraConfig {
  int64_t every = 100;
  std::vector<std::string> params{"matrices"};
  bool gradients = false;
  bool momentum = false;
  bool updates = false;
  bool heads = false;
  bool attention = false;
  bool inputs = false;
  bool operator==(const SpectraConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("every", self.every,
          Field{.help = "steps between measurements; the first and the last step are measured too",
                .min = 1});
    visit("params", self.params, Field{.help = "the matrices to measure, in the words of assign"});
    visit("gradients", self.gradients, Field{.help = "of the step's gradients too, as clipped"});
    visit("momentum", self.momentum, Field{.help = "of the optimizers' first moments too"});
    visit("updates", self.updates,
          Field{.help = "of what the step added to the weights too, its size, and the angle "
                        "between Adam and Muon"});
    visit("heads", self.heads,
          Field{.help = "each head of q, k, v and o, and the product O V of each head, as well"});
    visit("attention", self.attention, Field{.help = "the largest attention logit of each layer"});
    visit("inputs", self.inputs,
          Field{.help = "the stable rank of what each layer's matrices read"});
  }
};

// What a model knows of frequent and of rare facts (data.kind biographies).
struct TailConfig {
  int64_t every = 100;
  int64_t classes = 500;
  bool operator==(const TailConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("every", self.every,
          Field{.help = "steps between exams; the first and the last step have one too", .min = 1});
    visit(
        "classes", self.classes,
        Field{.help = "people of each frequency group asked about, the same each time", .min = 1});
  }
};

struct ProbesConfig {
  std::optional<SpectraConfig> spectra;
  std::optional<TailConfig> tail;
  bool operator==(const ProbesConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("spectra", self.spectra,
          Field{.help = "singular values of weights and more; off unless named"});
    visit("tail", self.tail,
          Field{.help = "accuracy on facts by how often they occur; off unless named"});
  }
};

}  // namespace muonlab::config
