// Text from a model.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "muonlab/run/session.hpp"

namespace muonlab::run {

// How the next token is chosen; the names and their order of effect are those of transformers:
// repetition penalty, temperature, top_k, top_p, min_p.
struct Sampling {
  double temperature = 0.8;         // 0: always the likeliest token
  int64_t top_k = 50;               // 0: all
  double top_p = 1;                 // the likeliest tokens that have this much of the probability
  double min_p = 0;                 // no token with less than this share of the likeliest's
  double repetition_penalty = 1;    // above 1: tokens of the text so far become less likely
  std::vector<std::string> stop{};  // the text ends before the first of these
  int64_t seed = 1;                 // token n is drawn with the n-th number of this seed's stream
  int64_t max_tokens = 200;
};

// Draws an id from logits (finite ones, one an id) by a number from [0, 1). seen: the ids of the
// text so far. Of equally likely ids the smaller comes first.
int32_t draw_token(std::span<const float> logits, const Sampling& sampling,
                   std::span<const int32_t> seen, double uniform);

// Continues the ids `prompt` (at least one) until the end-of-text id, a stop string or max_tokens.
// Where the context is full, the model reads its later half again and continues from there. Hands
// each piece of text over as soon as it is whole UTF-8 and no beginning of a stop string; returns
// the ids that were added. Throws NonFinite where the model's logits are not finite.
std::vector<int32_t> generate(LoadedModel& loaded, std::vector<int32_t> prompt,
                              const Sampling& sampling,
                              const std::function<void(const std::string&)>& piece);

}  // namespace muonlab::run
