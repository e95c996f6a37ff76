// Logits with a key-value cache against those of the whole text.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"
#include "muonlab/model/model.hpp"
#include "support/model.hpp"
#include "support/parameters.hpp"

namespace muonlab::model {
namespace {

using tensor::Path;

// Reads `pieces` of so many tokens one after the other; the largest difference of the logits behind
// each piece from those of the whole text.
double largest_difference(const config::ModelConfig& config, config::Precision precision, Path path,
                          const std::vector<int64_t>& pieces, int64_t num_sequences) {
  tensor::Arena arena = support::make_arena(config);
  initialize(config, 5, arena);
  {
    at::NoGradGuard no_grad;  // gains of one would hide a norm in the wrong place
    for (tensor::Parameter& parameter : arena.parameters()) {
      if (!parameter.is_matrix())
        parameter.value.copy_(1 + 0.3 * support::normal(parameter.value.sizes(), 77));
    }
  }
  const auto model = make_llama(config, precision, path, arena);
  model->weights_changed();
  int64_t total = 0;
  for (const int64_t piece : pieces) total += piece;
  const at::Tensor tokens = support::ids({num_sequences, total}, *config.vocabulary, 3);
  const at::Tensor whole = model->logits(tokens).detach();
  KeyValueCache cache;
  double largest = 0;
  int64_t read = 0;
  for (const int64_t piece : pieces) {
    const at::Tensor next = model->next_logits(tokens.narrow(1, read, piece), cache);
    read += piece;
    EXPECT_EQ(cache.num_positions, read);
    EXPECT_EQ(next.sizes(), (at::IntArrayRef{num_sequences, *config.vocabulary}));
    largest = std::max(largest, (next - whole.select(1, read - 1)).abs().max().item<double>());
  }
  return largest;
}

TEST(KeyValueCache, GivesTheLogitsOfTheWholeText) {
  for (const auto qk_norm : {config::QkNorm::none, config::QkNorm::no_gain, config::QkNorm::gain}) {
    for (const Path path : {Path::cpu, Path::reference}) {
      config::ModelConfig config = support::model_shape(2, 36, 6, 3, 10, 50, 83, 70);
      config.qk_norm = qk_norm;
      config.gated = qk_norm != config::QkNorm::none;
      config.init.std = 0.2;
      SCOPED_TRACE(static_cast<int>(qk_norm));
      EXPECT_LT(
          largest_difference(config, config::Precision::fp32, path, {7, 1, 1, 30, 1, 30, 1}, 2),
          1e-4);
      EXPECT_LT(largest_difference(config, config::Precision::fp32, path, {1, 1, 1}, 1), 1e-4);
    }
  }
}

// More tokens than are read at a time, and more than there was room for.
TEST(KeyValueCache, ReadsALongTextInPieces) {
  config::ModelConfig config = support::model_shape(1, 16, 2, 1, 8, 24, 31, 600);
  config.init.std = 0.2;
  EXPECT_LT(largest_difference(config, config::Precision::fp32, Path::cpu, {300, 1, 257, 1}, 1),
            1e-4);
}

TEST(KeyValueCache, KnowsTheFurtherSettings) {
  config::ModelConfig config = support::model_shape(2, 36, 6, 3, 10, 50, 83, 70);
  config.init.std = 0.2;
  config.value_residual = config::ValueResidual::learned;
  config.attention_bias = config::AttentionBias::all;
  config.ffn_bias = true;
  config.rotary_fraction = 0.4;
  config.attention_scale = 0.2;
  config.score_cap = 3;
  config.logit_cap = 5;
  config.embedding_scale = 2;
  config.post_norm = true;
  EXPECT_LT(
      largest_difference(config, config::Precision::fp32, Path::cpu, {7, 1, 1, 30, 1, 30, 1}, 2),
      1e-4);
}

TEST(KeyValueCache, IsRefusedWhereWhatATokenSeesChanges) {
  config::ModelConfig config = support::model_shape(2, 16, 2, 1, 8, 24, 31, 60);
  tensor::Arena arena = support::make_arena(config);
  EXPECT_TRUE(make_llama(config, config::Precision::fp32, Path::cpu, arena)->has_cache());
  config.window = 8;
  const auto windowed = make_llama(config, config::Precision::fp32, Path::cpu, arena);
  EXPECT_FALSE(windowed->has_cache());
  KeyValueCache cache;
  EXPECT_THROW(windowed->next_logits(support::ids({1, 3}, 31, 1), cache), base::Bug);
}

TEST(KeyValueCache, ComputesInBf16) {
  config::ModelConfig config = support::model_shape(2, 32, 4, 2, 8, 64, 40, 64);
  config.init.std = 0.1;
  EXPECT_LT(largest_difference(config, config::Precision::bf16, Path::cpu, {9, 1, 1}, 1), 3e-2);
}

}  // namespace
}  // namespace muonlab::model
