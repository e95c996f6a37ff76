#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "muonlab/run/generate.hpp"

namespace muonlab::run {
namespace {

// Ids with what they weigh, the likeliest first.
struct Candidates {
  std::vector<int32_t> ids;
  std::vector<double> weights;  // of the first 1

  void keep(size_t count) {
    ids.resize(count);
    weights.resize(count);
  }
};

Candidates likeliest(std::span<const float> logits, int64_t count, double temperature) {
  Candidates out;
  out.ids.resize(logits.size());
  std::iota(out.ids.begin(), out.ids.end(), 0);
  const auto logit = [&](int32_t id) { return logits[static_cast<size_t>(id)]; };
  const auto likelier = [&](int32_t a, int32_t b) {
    return logit(a) != logit(b) ? logit(a) > logit(b) : a < b;
  };
  std::partial_sort(out.ids.begin(), out.ids.begin() + count, out.ids.end(), likelier);
  out.ids.resize(static_cast<size_t>(count));
  const double best = logit(out.ids[0]);
  for (const int32_t id : out.ids)
    out.weights.push_back(std::exp((static_cast<double>(logit(id)) - best) / temperature));
  return out;
}

// The fewest of the likeliest that have the share top_p of all that there is.
void keep_top_p(Candidates& candidates, double top_p) {
  const std::vector<double>& weights = candidates.weights;
  const double wanted = top_p * std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    sum += weights[i];
    if (sum >= wanted) return candidates.keep(i + 1);
  }
}

void keep_min_p(Candidates& candidates, double min_p) {
  size_t count = 1;
  while (count < candidates.weights.size() && candidates.weights[count] >= min_p) ++count;
  candidates.keep(count);
}

// Keskar et al., arXiv 1909.05858, as transformers has it.
std::vector<float> penalized(std::span<const float> logits, double penalty,
                             std::span<const int32_t> seen) {
  std::vector<float> out(logits.begin(), logits.end());
  const std::set<int32_t> ids(seen.begin(), seen.end());
  for (const int32_t id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= out.size()) continue;
    float& logit = out[static_cast<size_t>(id)];
    logit = static_cast<float>(logit > 0 ? logit / penalty : logit * penalty);
  }
  return out;
}

}  // namespace

int32_t draw_token(std::span<const float> logits, const Sampling& sampling,
                   std::span<const int32_t> seen, double uniform) {
  std::vector<float> changed;
  if (sampling.repetition_penalty != 1) {
    changed = penalized(logits, sampling.repetition_penalty, seen);
    logits = changed;
  }
  const auto vocabulary = static_cast<int64_t>(logits.size());
  if (sampling.temperature <= 0) return likeliest(logits, 1, 1.0).ids[0];
  const int64_t count = sampling.top_k > 0 ? std::min(sampling.top_k, vocabulary) : vocabulary;
  Candidates candidates = likeliest(logits, count, sampling.temperature);
  if (sampling.top_p < 1) keep_top_p(candidates, sampling.top_p);
  if (sampling.min_p > 0) keep_min_p(candidates, sampling.min_p);
  const std::vector<double>& weights = candidates.weights;
  double left = uniform * std::accumulate(weights.begin(), weights.end(), 0.0);
  for (size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return candidates.ids[i];
  }
  return candidates.ids.back();
}

}  // namespace muonlab::run
