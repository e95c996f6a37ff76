#include "muonlab/run/generate.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/philox.hpp"
#include "muonlab/tensor/runtime.hpp"

namespace muonlab::run {
namespace {

constexpr int64_t kSmallModel = 25'000'000;  // parameters

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

// Bytes at the end that may turn out to begin a stop string.
size_t withheld_bytes(const std::string& text, const std::vector<std::string>& stops) {
  size_t most = 0;
  for (const std::string& stop : stops) {
    for (size_t count = std::min(stop.size() - 1, text.size()); count > most; --count) {
      if (text.ends_with(std::string_view(stop).substr(0, count))) most = count;
    }
  }
  return most;
}

// The text of the ids so far, handed over piece by piece.
class Written {
 public:
  // `starts`: the ids are the beginning of a text.
  Written(const data::Tokenizer& tokenizer, bool starts, const std::vector<std::string>& stops,
          const std::function<void(const std::string&)>& piece)
      : tokenizer_(tokenizer), starts_(starts), stops_(stops), piece_(piece) {}

  // False where a stop string has come: the text ends before it.
  bool update(std::span<const int32_t> ids) {
    text_ = starts_ ? tokenizer_.decode_start(ids) : tokenizer_.decode(ids);
    size_t end = std::string::npos;
    for (const std::string& stop : stops_) end = std::min(end, text_.find(stop));
    if (end != std::string::npos) {
      text_.resize(end);
      return false;
    }
    const size_t held = std::max(unfinished_bytes(text_), withheld_bytes(text_, stops_));
    show(text_.size() - held);
    return true;
  }
  void finish() { show(text_.size()); }

 private:
  void show(size_t end) {
    if (end <= shown_) return;
    piece_(text_.substr(shown_, end - shown_));
    shown_ = end;
  }

  const data::Tokenizer& tokenizer_;
  bool starts_;
  const std::vector<std::string>& stops_;
  const std::function<void(const std::string&)>& piece_;
  std::string text_;
  size_t shown_ = 0;
};

// The model's logits behind a growing text: each token is read once, until the context is full.
class Reader {
 public:
  explicit Reader(LoadedModel& loaded)
      : loaded_(loaded),
        context_(loaded.config.model.context),
        has_cache_(loaded.model->has_cache()) {}

  at::Tensor next(const std::vector<int32_t>& ids) {
    const auto total = static_cast<int64_t>(ids.size());
    if (total - begin_ > context_) {
      begin_ = total - (read_ == 0 ? context_ : std::max<int64_t>(1, context_ / 2));
      read_ = begin_;
      cache_ = {};
    }
    if (!has_cache_) read_ = begin_;
    const std::vector<int64_t> fresh(ids.begin() + static_cast<std::ptrdiff_t>(read_), ids.end());
    const at::Device device = loaded_.arena->values().device();
    const at::Tensor tokens_bt = at::tensor(fresh, at::kLong).view({1, total - read_}).to(device);
    const int64_t last = total - read_ - 1;
    read_ = total;
    if (!has_cache_)
      return loaded_.model->logits_at(tokens_bt, at::full({1}, last, at::kLong).to(device))
          .view({-1})
          .cpu()
          .contiguous();
    at::Tensor logits_bv;
    const auto read = [&](int64_t) { logits_bv = loaded_.model->next_logits(tokens_bt, cache_); };
    // For one token of a small model, threads that wait for each other cost more than they save.
    if (last == 0 && loaded_.arena->values().numel() < kSmallModel) {
      tensor::each_on_one_thread(1, read);
    } else {
      read(0);
    }
    return logits_bv.view({-1}).cpu().contiguous();
  }

 private:
  LoadedModel& loaded_;
  int64_t context_;
  bool has_cache_;                // else every token is read again for the next one
  int64_t begin_ = 0, read_ = 0;  // the model has read the ids from begin_ to read_
  model::KeyValueCache cache_;
};

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
  Reader reader(loaded);
  Written written(tokenizer, ids.back() == tokenizer.end_of_text(), sampling.stop, piece);
  for (int64_t n = 0; n < sampling.max_tokens; ++n) {
    const at::Tensor logits_v = reader.next(ids);
    // Padding above the tokenizer's ids is never drawn.
    const std::span logits(logits_v.const_data_ptr<float>(),
                           static_cast<size_t>(std::min(tokenizer.vocabulary(), logits_v.size(0))));
    if (!std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); })) {
      throw base::NonFinite(
          "the model's logits are not finite: its weights are not, or they overflow; take an "
          "earlier checkpoint");
    }
    const int32_t next =
        draw_token(logits, sampling, ids, random.uniform(static_cast<uint64_t>(n)));
    if (next == tokenizer.end_of_text()) break;
    ids.push_back(next);
    if (!written.update(std::span(ids).subspan(prompt_length))) break;
  }
  written.finish();
  return {ids.begin() + static_cast<std::ptrdiff_t>(prompt_length), ids.end()};
}

}  // namespace muonlab::run
