#include "muonlab/run/generate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/philox.hpp"

namespace muonlab::run {
namespace {

// Draws from softmax(logits / temperature) over the top_k likeliest; ties go to the smaller id.
// NaN has no place in that order, and Inf no probability.
int32_t draw(const float* logits, int64_t vocabulary, const Sampling& sampling, double uniform) {
  const auto is_finite = [](float logit) { return std::isfinite(logit); };
  if (!std::all_of(logits, logits + vocabulary, is_finite)) {
    throw base::NonFinite(
        "the model's logits are not finite: its weights are not, or they overflow; take an earlier "
        "checkpoint");
  }
  std::vector<int32_t> ids(static_cast<size_t>(vocabulary));
  std::iota(ids.begin(), ids.end(), 0);
  const auto likelier = [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  if (sampling.temperature <= 0) return *std::min_element(ids.begin(), ids.end(), likelier);
  const int64_t kept = sampling.top_k > 0 ? std::min(sampling.top_k, vocabulary) : vocabulary;
  std::partial_sort(ids.begin(), ids.begin() + kept, ids.end(), likelier);
  ids.resize(static_cast<size_t>(kept));
  std::vector<double> weights(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    weights[i] =
        std::exp((static_cast<double>(logits[ids[i]]) - logits[ids[0]]) / sampling.temperature);
  }
  double left = uniform * std::accumulate(weights.begin(), weights.end(), 0.0);
  for (size_t i = 0; i < ids.size(); ++i) {
    left -= weights[i];
    if (left < 0) return ids[i];
  }
  return ids.back();
}

// Bytes at the end that begin a character not yet whole.
size_t unfinished_bytes(const std::string& text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

}  // namespace

std::vector<int32_t> generate(LoadedModel& loaded, std::vector<int32_t> prompt,
                              const Sampling& sampling,
                              const std::function<void(const std::string&)>& piece) {
  at::NoGradGuard no_grad;
  base::check(!prompt.empty(), "a prompt holds at least one id");
  const data::Tokenizer& tokenizer = *loaded.tokenizer;
  const size_t prompt_length = prompt.size();
  std::vector<int32_t> ids = std::move(prompt);
  const base::Philox random(static_cast<uint64_t>(sampling.seed), base::Purpose::sampling);
  std::string text;
  size_t shown = 0;
  for (int64_t n = 0; n < sampling.max_tokens; ++n) {
    const size_t context = static_cast<size_t>(loaded.config.model.context);
    const size_t first = ids.size() > context ? ids.size() - context : 0;
    const std::vector<int64_t> window(ids.begin() + static_cast<std::ptrdiff_t>(first), ids.end());
    const auto length = static_cast<int64_t>(window.size());
    const at::Tensor tokens_bt =
        at::tensor(window, at::kLong).view({1, length}).to(loaded.arena->values().device());
    const at::Tensor logits =
        loaded.model->logits(tokens_bt).select(1, length - 1).cpu().contiguous();
    // Padding above the tokenizer's ids is never drawn.
    const int32_t next = draw(logits.const_data_ptr<float>(), tokenizer.vocabulary(), sampling,
                              random.uniform(static_cast<uint64_t>(n)));
    if (next == tokenizer.end_of_text()) break;
    ids.push_back(next);
    text = tokenizer.decode(std::span(ids).subspan(prompt_length));
    const size_t whole = text.size() - unfinished_bytes(text);
    if (whole > shown) piece(text.substr(shown, whole - shown));
    shown = std::max(shown, whole);
  }
  if (text.size() > shown) piece(text.substr(shown));
  return {ids.begin() + static_cast<std::ptrdiff_t>(prompt_length), ids.end()};
}

}  // namespace muonlab::run
