#include "muonlab/train/plan.hpp"

#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::train {
namespace {

struct Planned {
  config::RunConfig run;
  Plan plan;
};

Planned planned(const std::vector<std::string>& settings) {
  config::RunConfig run =
      config::load_config(MUONLAB_SOURCE_DIR "/configs/bench_14m.json", settings).run;
  const data::Dataset data = data::open_dataset(run.data, run.model.context, run.seed);
  if (!run.model.vocabulary) run.model.vocabulary = data.tokenizer->vocabulary();
  Plan plan = make_plan(run, data);
  return {std::move(run), plan};
}

std::string refusal(const Planned& p, uint64_t usable_bytes) {
  try {
    check_memory(p.plan, p.run, usable_bytes);
  } catch (const base::Error& error) {
    return error.what();
  }
  return "";
}

TEST(CheckMemory, RefusesAboveWhatThereIsAndNamesWhatWeighsMost) {
  const Planned usual = planned({});
  EXPECT_EQ(refusal(usual, static_cast<uint64_t>(usual.plan.memory_bytes)), "");
  EXPECT_NE(refusal(usual, static_cast<uint64_t>(usual.plan.memory_bytes) - 1), "");

  const Planned wide = planned({"model.width=1048576", "model.heads=64"});
  EXPECT_NE(refusal(wide, uint64_t{64} << 30)
                .find("this machine has 68.7 GB; lower model.width, model.layers"),
            std::string::npos)
      << refusal(wide, uint64_t{64} << 30);
  const Planned large_batch = planned({"train.batch=65536", "train.micro_batch=65536"});
  EXPECT_NE(refusal(large_batch, uint64_t{64} << 30)
                .find("lower train.micro_batch (65536) or model.context (256)"),
            std::string::npos)
      << refusal(large_batch, uint64_t{64} << 30);
}

TEST(CheckMemory, CountsParametersOfAnySizeWithoutOverflow) {
  const Planned absurd =
      planned({"model.width=1048576", "model.heads=65536", "model.head_dim=65536",
               "model.layers=4096", "model.vocabulary=268435456"});
  EXPECT_GT(absurd.plan.num_parameters, int64_t{1} << 62);
  EXPECT_GE(absurd.plan.num_matrix_parameters, 0);
  EXPECT_NE(refusal(absurd, uint64_t{1} << 50), "");
}

TEST(MicroBatch, AutoTakesTheLargestThatLeavesATenthOfTheMemory) {
  const Planned asked = planned({"train.batch=48", "train.micro_batch=auto"});
  const auto chosen = [&](double usable) {
    config::RunConfig run = asked.run;
    choose_micro_batch(run, static_cast<uint64_t>(usable), 1);
    return *run.train.micro_batch;
  };
  const auto needed = [](int64_t size) {
    const std::string reduction = size < 48 ? "train.reduction=exact" : "train.reduction=null";
    const Planned p = planned({"train.batch=48", base::str("train.micro_batch=", size), reduction});
    return static_cast<double>(p.plan.memory_bytes);
  };
  for (const int64_t size : {12, 16, 24, 48}) {
    EXPECT_EQ(chosen(needed(size) / 0.9 + 2), size);
    EXPECT_LT(chosen(needed(size) / 0.9 - 2), size);
  }
  EXPECT_EQ(chosen(1e15), 48);
  EXPECT_EQ(chosen(1e6), 1) << "too large at any size, which check_memory says";

  config::RunConfig given = planned({"train.batch=48", "train.micro_batch=4"}).run;
  choose_micro_batch(given, uint64_t{1} << 50, 1);
  EXPECT_EQ(given.train.micro_batch, 4);
}

// 1,000 samples of 256 tokens an epoch.
Plan plan_after(std::vector<std::string> settings, const TrainState& done = {}) {
  settings.push_back("train.micro_batch=null");
  config::RunConfig run =
      config::load_config(MUONLAB_SOURCE_DIR "/configs/bench_14m.json", settings).run;
  if (!run.model.vocabulary) run.model.vocabulary = 1000;
  return make_plan(run, 1000, 64, done);
}

TrainState after(int64_t step, int64_t samples) {
  TrainState state;
  state.step = step;
  state.next_sample = samples;
  state.tokens = samples * 256;
  return state;
}

// 162 M parameters with their gradients, moments and copies are 2.6 GB, the activations of 32 x
// 1024 tokens 11.2 GB, one chunk of logits with the head's gradient 1.4 GB, and the runtime 0.7 GB.
TEST(Plan, TheMemoryOfAGpuIsThatOfTheTensorsOfItsStep) {
  const auto gigabytes = [](std::vector<std::string> more) {
    std::vector<std::string> settings{"device=cuda",
                                      "precision=bf16",
                                      "model.size=null",
                                      "model.layers=12",
                                      "model.width=768",
                                      "model.heads=12",
                                      "model.ffn_width=2048",
                                      "model.context=1024",
                                      "model.vocabulary=50304",
                                      "train.batch=512",
                                      "train.micro_batch=32",
                                      "assign=[{\"params\":[\"matrices\"],\"optimizer\":\"muon\"},"
                                      "{\"params\":[\"all\"],\"optimizer\":\"adam\"}]"};
    settings.insert(settings.end(), more.begin(), more.end());
    const config::RunConfig run =
        config::load_config(MUONLAB_SOURCE_DIR "/configs/bench_14m.json", settings).run;
    return static_cast<double>(make_plan(run, 100000, 64).memory_bytes) / 1e9;
  };
  EXPECT_NEAR(gigabytes({}), 15.9, 0.5);
  // What the backward of a layer holds for a moment grows with it.
  EXPECT_NEAR(gigabytes({"train.micro_batch=64"}) - gigabytes({}), 12.4, 0.5);
  EXPECT_GT(gigabytes({"precision=fp32"}), 1.4 * gigabytes({}));
  EXPECT_GT(gigabytes({"model.qk_norm=gain"}), gigabytes({}) + 1.5);
}

TEST(Plan, ABudgetOfTokensHoldsWhenTheBatchChanges) {
  const auto tokens = [](int64_t samples) {
    return "train.tokens=" + std::to_string(samples * 256);
  };
  const auto batch = [](int n) { return "train.batch=" + std::to_string(n); };
  EXPECT_EQ(plan_after({tokens(160), batch(4)}).steps, 40);
  EXPECT_EQ(plan_after({tokens(160), batch(4)}, after(30, 120)).steps, 40) << "as without a pause";
  const Plan doubled = plan_after({tokens(160), batch(8)}, after(30, 120));
  EXPECT_EQ(doubled.steps, 35);
  EXPECT_EQ(doubled.tokens, 160 * 256);
  const Plan halved = plan_after({tokens(160), batch(2)}, after(30, 120));
  EXPECT_EQ(halved.steps, 50);
  EXPECT_EQ(halved.tokens, 160 * 256);
  // Rounded up to a whole step, never short.
  const Plan odd = plan_after({tokens(160), batch(7)}, after(30, 120));
  EXPECT_EQ(odd.steps, 36);
  EXPECT_EQ(odd.tokens, (120 + 6 * 7) * 256);
  // What is done stays done; what was exceeded says by how much.
  EXPECT_EQ(plan_after({tokens(160), batch(7)}, after(36, 162)).steps, 36);
  EXPECT_EQ(plan_after({tokens(80), batch(4)}, after(40, 160)).steps, 20);
  EXPECT_EQ(plan_after({tokens(80), batch(4)}, after(40, 160)).tokens, 160 * 256);
}

TEST(Plan, EpochsAreABudgetOfSamplesRoundedUp) {
  EXPECT_EQ(plan_after({"train.epochs=1", "train.batch=32"}).steps, 32) << "31.25 steps";
  EXPECT_EQ(plan_after({"train.epochs=0.1", "train.batch=10"}).steps, 10) << "no rounding error";
  EXPECT_EQ(plan_after({"train.epochs=0.001", "train.batch=8"}).steps, 1);
  const Plan changed = plan_after({"train.epochs=1", "train.batch=16"}, after(10, 320));
  EXPECT_EQ(changed.steps, 53) << "10 steps of 32, 42.5 of 16";
  EXPECT_DOUBLE_EQ(changed.epochs, 1.008);
  EXPECT_EQ(plan_after({"train.steps=70", "train.batch=16"}, after(10, 320)).tokens,
            (320 + 60 * 16) * 256);
}

}  // namespace
}  // namespace muonlab::train
