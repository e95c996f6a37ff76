// The probe of embedding and head rows inside a run.
#include "muonlab/train/token_rows_probe.hpp"

#include <bit>
#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "muonlab/train/batch.hpp"
#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"

namespace muonlab::train {
namespace {

using nlohmann::json;

std::vector<json> measured(TokenRowsProbe& probe, Trainer& trainer) {
  std::vector<json> lines;
  for (const std::string& line : probe.measure(trainer)) lines.push_back(json::parse(line));
  return lines;
}

TEST(TokenRowsProbe, GroupsTokensByHowOftenTheyOccur) {
  run::Session session(run::prepare_small());
  Trainer& trainer = session.trainer();
  TokenRowsProbe probe(config::TokenRowsConfig{.every = 1, .count_tokens = 320});
  EXPECT_TRUE(probe.measure(trainer).empty()) << "no step, no update";
  probe.before_step(trainer);
  const StepRecord record = train_step(trainer);
  ASSERT_GT(record.loss, 0);
  // Counted once more, in another way: 320 tokens are 20 samples of 16.
  const Batch batch = read_batch(*trainer.data.train, 0, 20, 16, at::kCPU);
  std::map<int, int64_t> tokens;
  const at::Tensor counts =
      at::bincount(batch.tokens_bt.flatten(), {}, *trainer.config.model.vocabulary);
  for (int64_t id = 0; id < counts.size(0); ++id)
    ++tokens[std::bit_width(static_cast<uint64_t>(counts[id].item<int64_t>()))];
  ASSERT_GE(tokens.size(), 3u);
  const std::vector<json> lines = measured(probe, trainer);
  ASSERT_EQ(lines.size(), 2 * tokens.size()) << "embedding and head";
  for (const json& line : lines)
    EXPECT_EQ(line.at("tokens"), tokens.at(line.at("group").get<int>())) << line;
}

TEST(TokenRowsProbe, ARowWithoutItsTokenInTheStepDoesNotMoveByPlainDescent) {
  run::Session session(run::prepare_small(
      {"optimizers.sgd={\"rule\":\"sgd\",\"lr\":0.5,\"momentum\":0}",
       "assign=[{\"params\":[\"vo\"],\"optimizer\":\"muon\"},{\"params\":[\"qk\",\"ffn\",\"norm\"],"
       "\"optimizer\":\"adam\"},{\"params\":[\"all\"],\"optimizer\":\"sgd\"}]"}));
  Trainer& trainer = session.trainer();
  TokenRowsProbe probe(config::TokenRowsConfig{.every = 1});
  probe.before_step(trainer);
  train_step(trainer);
  int64_t in_step = 0;
  for (const json& line : measured(probe, trainer)) {
    const double update = line.at("update_rms"), gradient = line.at("gradient_rms");
    EXPECT_NEAR(update, 0.5 * gradient, 1e-5 * gradient + 1e-9) << line;
    if (line.at("of") == "head") {
      EXPECT_GT(gradient, 0) << "the softmax moves every row of the head";
      continue;
    }
    // Only rows of the step's tokens have a gradient: their mean square is that of the group.
    const int64_t moved = line.at("in_step");
    in_step += moved;
    if (moved == 0) {
      EXPECT_EQ(update, 0) << line;
      EXPECT_FALSE(line.contains("update_rms_in_step"));
    } else {
      const double own = line.at("update_rms_in_step"), tokens = line.at("tokens");
      EXPECT_NEAR(update, own * std::sqrt(static_cast<double>(moved) / tokens), 1e-5 * own) << line;
    }
  }
  EXPECT_GT(in_step, 5);
}

TEST(TokenRowsProbe, TiedWeightsAreOneMatrix) {
  run::Session session(run::prepare_small({"model.tied=true"}));
  TokenRowsProbe probe(config::TokenRowsConfig{.every = 1});
  probe.before_step(session.trainer());
  train_step(session.trainer());
  for (const json& line : measured(probe, session.trainer())) EXPECT_EQ(line.at("of"), "embed");
}

}  // namespace
}  // namespace muonlab::train
