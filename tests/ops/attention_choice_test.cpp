// Which attention a GPU runs: what decides, and that a processor has no choice.
#include "muonlab/ops/attention_choice.hpp"

#include <gtest/gtest.h>

#include "muonlab/config/load.hpp"

namespace muonlab::ops {
namespace {

AttentionTrial sound(double flash_s, double cudnn_s) {
  return {.flash_s = flash_s, .cudnn_s = cudnn_s, .same_bits = true, .agrees = true};
}

TEST(AttentionChoice, TakesCudnnsOnlyWhereItIsClearlyFasterAndSound) {
  EXPECT_EQ(better_attention(sound(2.0, 1.0)), GpuAttention::cudnn);
  EXPECT_EQ(better_attention(sound(1.0, 0.95)), GpuAttention::flash);
  EXPECT_EQ(better_attention(sound(1.0, 2.0)), GpuAttention::flash);
  AttentionTrial other_bits = sound(2.0, 1.0), wrong = sound(2.0, 1.0);
  other_bits.same_bits = false;
  wrong.agrees = false;
  EXPECT_EQ(better_attention(other_bits), GpuAttention::flash);
  EXPECT_EQ(better_attention(wrong), GpuAttention::flash);
  EXPECT_EQ(better_attention({}), GpuAttention::flash) << "nothing was measured";
}

TEST(AttentionChoice, AProcessorHasNone) {
  const config::RunConfig run = config::parse_config(R"({"precision": "bf16", "train": {"steps": 1},
                               "model": {"context": 128}})",
                                                     "c.json")
                                    .run;
  EXPECT_EQ(choose_gpu_attention(run, at::kCPU), "");
  EXPECT_EQ(gpu_attention(), GpuAttention::flash);
}

}  // namespace
}  // namespace muonlab::ops
