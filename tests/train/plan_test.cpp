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

}  // namespace
}  // namespace muonlab::train
