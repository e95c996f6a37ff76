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
  bool histogram = false;
  bool operator==(const SpectraConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("every", self.every,
          Field{.help = "steps between measurements; the first and the last step are measured too",
                .min = 1});
    visit("params", self.params, Field{.help = "the matrices to measure, in the words of assign"});
    visit("gradients", self.gradients,
          Field{.help = "measure the step's gradients as well, after clipping"});
    visit("momentum", self.momentum,
          Field{.help = "measure the optimizers' first moments as well"});
    visit("updates", self.updates,
          Field{.help = "measure what the step added to the weights as well, its size, and the "
                        "angle between the updates of Adam and Muon"});
    visit(
        "heads", self.heads,
        Field{.help =
                  "measure each head of q, k, v and o as well, and the product O V of each head"});
    visit("attention", self.attention,
          Field{.help = "measure the largest attention logit of each layer"});
    visit("inputs", self.inputs,
          Field{.help = "measure the stable rank of what each layer's matrices read"});
    visit("histogram", self.histogram,
          Field{.help = "record a histogram of the singular values of each matrix as well; "
                        "TensorBoard shows it",
                .quiet = true});
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
          Field{.help = "steps between measurements; the first and the last step are measured too",
                .min = 1});
    visit(
        "classes", self.classes,
        Field{.help = "how many people of each frequency group are asked about, the same each time",
              .min = 1});
  }
};

// How much the loss curves along a step's update (arXiv 2606.04662).
struct SharpnessConfig {
  int64_t every = 100;
  std::vector<std::string> params{"matrices"};
  bool operator==(const SharpnessConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("every", self.every,
          Field{.help = "steps between measurements; the first and the last step are measured too",
                .min = 1});
    visit("params", self.params,
          Field{.help = "the part of the update that is measured, in the words of assign"});
  }
};

// How far a step moves the rows of embedding and head, by how often their tokens occur.
struct TokenRowsConfig {
  int64_t every = 100;
  int64_t count_tokens = 1'000'000;
  bool operator==(const TokenRowsConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("every", self.every,
          Field{.help = "steps between measurements; the first and the last step are measured too",
                .min = 1});
    visit("count_tokens", self.count_tokens,
          Field{.help = "over so many tokens, from the run's first sample on, it is counted how "
                        "often a token occurs",
                .min = 1});
  }
};

struct ProbesConfig {
  std::optional<SpectraConfig> spectra;
  std::optional<TailConfig> tail;
  std::optional<SharpnessConfig> sharpness;
  std::optional<TokenRowsConfig> token_rows;
  bool operator==(const ProbesConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("spectra", self.spectra,
          Field{.help = "singular values of weights and more; off unless this section is given"});
    visit("tail", self.tail,
          Field{.help =
                    "accuracy on facts by how often they occur; off unless this section is given"});
    visit(
        "sharpness", self.sharpness,
        Field{.help = "curvature of the loss along the update; off unless this section is given"});
    visit("token_rows", self.token_rows,
          Field{.help = "updates of embedding and head by how often a token occurs; off unless "
                        "this section is given"});
  }
};

}  // namespace muonlab::config
