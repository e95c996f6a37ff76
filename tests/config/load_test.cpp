#include "config/support.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {
namespace {

TEST(Load, TheSmallestConfigIsFilledIn) {
  const RunConfig run = parse(minimal());
  EXPECT_EQ(run.name, "c");
  EXPECT_EQ(run.train.steps, 100);
  EXPECT_EQ(run.train.micro_batch, 8);
  EXPECT_EQ(run.model.kv_heads, 4);
  EXPECT_EQ(run.model.head_dim, 64);
  EXPECT_EQ(run.model.ffn_width, 683);
  EXPECT_EQ(run.model.vocabulary, 1024) << "the tokenizer's";
  EXPECT_GE(run.threads.value(), 1);
  EXPECT_EQ(run.assign.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<AdamWConfig>(run.optimizers.at("adam")));
}

}  // namespace
}  // namespace muonlab::config
