#include "muonlab/train/log_probs.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/non_finite.hpp"

namespace muonlab::train {
namespace {

using Likeliest = std::vector<std::pair<int32_t, double>>;

// log sum exp of the logits; NaN or infinite where one of them is.
double log_total(const float* logits, int64_t vocabulary) {
  const double largest = *std::max_element(logits, logits + vocabulary);
  double sum = 0;
  for (int64_t id = 0; id < vocabulary; ++id) sum += std::exp(logits[id] - largest);
  return largest + std::log(sum);
}

Likeliest likeliest(const float* logits, int64_t vocabulary, int64_t count, double total) {
  std::vector<int32_t> ids(static_cast<size_t>(vocabulary));
  std::iota(ids.begin(), ids.end(), 0);
  const auto likelier = [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  count = std::min(count, vocabulary);
  std::partial_sort(ids.begin(), ids.begin() + count, ids.end(), likelier);
  Likeliest out;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t id = ids[static_cast<size_t>(i)];
    out.emplace_back(id, logits[id] - total);
  }
  return out;
}

}  // namespace

TokenLogProbs token_log_probs(model::Model& model, const std::vector<int32_t>& ids, int64_t top_k,
                              at::Device device) {
  base::check(!ids.empty(), "log-probabilities of no token");
  const at::NoGradGuard no_grad;
  const auto t = std::ssize(ids);
  const std::vector<int64_t> wide(ids.begin(), ids.end());
  const at::Tensor logits_tv = model.logits(at::tensor(wide, at::kLong).view({1, t}).to(device))[0]
                                   .to(at::kFloat)
                                   .cpu()
                                   .contiguous();
  const int64_t vocabulary = logits_tv.size(1);
  const float* logits = logits_tv.const_data_ptr<float>();
  TokenLogProbs result;
  for (int64_t i = 0; i < t; ++i, logits += vocabulary) {
    const double total = log_total(logits, vocabulary);
    if (!std::isfinite(total)) {
      throw base::NonFinite("the model's logits are not finite: its weights are not, or they ",
                            "overflow; take an earlier checkpoint");
    }
    if (top_k > 0) result.top.push_back(likeliest(logits, vocabulary, top_k, total));
    if (i + 1 == t) break;
    const float logit = logits[ids[static_cast<size_t>(i) + 1]];
    result.log_probs.push_back(logit - total);
    result.greedy.push_back(logit >= *std::max_element(logits, logits + vocabulary));
  }
  return result;
}

}  // namespace muonlab::train
