// Texts from a model: the cache, the full context, stop strings.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "muonlab/run/generate.hpp"
#include "support/model.hpp"

namespace muonlab::run {
namespace {

LoadedModel byte_model(int64_t context, std::optional<int64_t> window = {}) {
  LoadedModel loaded;
  loaded.config.model = support::model_shape(2, 16, 2, 1, 8, 24, 257, context);
  loaded.config.model.window = window;
  loaded.config.model.init.std = 0.3;
  loaded.arena = std::make_unique<tensor::Arena>(support::make_arena(loaded.config.model));
  model::initialize(loaded.config.model, 2, *loaded.arena);
  loaded.model = model::make_llama(loaded.config.model, config::Precision::fp32, tensor::Path::cpu,
                                   *loaded.arena);
  loaded.model->weights_changed();
  loaded.tokenizer = data::make_byte_tokenizer();
  return loaded;
}

void ignore(const std::string&) {}

// The likeliest ids, each from the whole text so far.
std::vector<int32_t> recomputed(LoadedModel& loaded, std::vector<int64_t> ids, int64_t count) {
  const at::NoGradGuard no_grad;
  std::vector<int32_t> made;
  for (int64_t n = 0; n < count; ++n) {
    const at::Tensor tokens = at::tensor(ids, at::kLong).view({1, std::ssize(ids)});
    const auto next = loaded.model->logits(tokens)[0][std::ssize(ids) - 1].argmax().item<int64_t>();
    if (next == 256) break;
    ids.push_back(next);
    made.push_back(static_cast<int32_t>(next));
  }
  return made;
}

TEST(Generate, TheCacheGivesTheTextOfRecomputing) {
  LoadedModel loaded = byte_model(64);
  const Sampling greedy{.temperature = 0, .max_tokens = 40};
  for (const int32_t first : {3, 70, 200}) {
    const std::vector<int32_t> prompt{first, 5, 9};
    EXPECT_EQ(generate(loaded, prompt, greedy, ignore), recomputed(loaded, {first, 5, 9}, 40));
  }
}

TEST(Generate, AModelWithoutACacheReadsTheTextAgain) {
  LoadedModel windowed = byte_model(64, 4);
  ASSERT_FALSE(windowed.model->has_cache());
  EXPECT_EQ(generate(windowed, {3, 5, 9}, {.temperature = 0, .max_tokens = 20}, ignore),
            recomputed(windowed, {3, 5, 9}, 20));
}

TEST(Generate, WritesBeyondAFullContext) {
  LoadedModel loaded = byte_model(8);
  Sampling sampling{.temperature = 1, .top_k = 5, .max_tokens = 50};
  std::vector<int32_t> prompt(30, 7);  // longer than the context
  const std::vector<int32_t> all = generate(loaded, prompt, sampling, ignore);
  EXPECT_GT(all.size(), 8u);
  // The first token comes from the last 8 of the prompt.
  prompt.resize(8);
  sampling.max_tokens = 1;
  EXPECT_EQ(generate(loaded, prompt, sampling, ignore)[0], all[0]);
}

TEST(Generate, EndsBeforeAStopStringThatComesInPieces) {
  LoadedModel loaded = byte_model(64);
  const Sampling plain{.temperature = 0, .max_tokens = 40};
  std::string text;
  const auto collect = [&](const std::string& piece) { text += piece; };
  generate(loaded, {3, 5, 9}, plain, collect);
  const std::string whole = text;
  ASSERT_GT(whole.size(), 8u);
  Sampling stopped = plain;
  stopped.stop = {"never in it", whole.substr(4, 3)};
  const size_t end = whole.find(stopped.stop[1]);
  text.clear();
  const std::vector<int32_t> ids = generate(loaded, {3, 5, 9}, stopped, collect);
  EXPECT_EQ(text, whole.substr(0, end));
  EXPECT_LT(ids.size(), 40u);
}

}  // namespace
}  // namespace muonlab::run
