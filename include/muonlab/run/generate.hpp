// Text from a model.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "muonlab/run/session.hpp"

namespace muonlab::run {

struct Sampling {
  double temperature = 0.8;  // 0: always the likeliest token
  int64_t top_k = 50;        // 0: all
  int64_t seed = 1;          // token n is drawn with the n-th number of this seed's stream
  int64_t max_tokens = 200;
};

// Continues the ids `prompt` (at least one) until the end-of-text id or max_tokens, the context
// sliding along. Hands each piece of text over as soon as it is whole UTF-8; returns the ids that
// were added. Throws NonFinite where the model's logits are not finite.
std::vector<int32_t> generate(LoadedModel& loaded, std::vector<int32_t> prompt,
                              const Sampling& sampling,
                              const std::function<void(const std::string&)>& piece);

}  // namespace muonlab::run
