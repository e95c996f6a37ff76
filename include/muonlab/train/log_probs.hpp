// The probabilities that a model gives to the tokens of a text.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "muonlab/model/model.hpp"

namespace muonlab::train {

struct TokenLogProbs {
  // Of token i + 1 given those before it: its natural logarithm, and whether no other is likelier.
  std::vector<double> log_probs;
  std::vector<bool> greedy;
  // Behind token i, the last one included: the likeliest ids with theirs, the best first; of equal
  // ones the smaller id.
  std::vector<std::vector<std::pair<int32_t, double>>> top;
};

// `ids`: at least one, at most the model's context. top_k 0: `top` stays empty. Throws NonFinite.
TokenLogProbs token_log_probs(model::Model& model, const std::vector<int32_t>& ids, int64_t top_k,
                              at::Device device = at::kCPU);

}  // namespace muonlab::train
