#include <gtest/gtest.h>

#include <array>

#include "base/temporary_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/shard.hpp"
#include "muonlab/study/sweep/estimate.hpp"

namespace muonlab::study {
namespace {

void write_shard(const std::string& path, int64_t num_tokens) {
  data::ShardHeader header;
  header.end_of_text = 299;
  header.vocabulary = 300;
  data::ShardWriter writer(path, header);
  const std::vector<int32_t> ids(static_cast<size_t>(num_tokens), 7);
  writer.add(ids, static_cast<uint64_t>(num_tokens));
  writer.finish();
}

config::RunConfig on_shards(const std::string& folder, const std::string& length) {
  const std::string text = base::str(
      R"({"threads": 1, "model": {"layers": 1, "width": 32, "heads": 2, "context": 10},
                    "data": {"kind": "shards", "train": [")",
      folder, R"("], "valid": [")", folder, R"("]}, "train": {"batch": 4, )", length, "}}");
  return config::parse_config(text, "run.json").run;
}

// The shards' headers tell the vocabulary and the length, so that a sweep on shards has an
// estimate.
TEST(DataSizes, AreThoseInTheShardsHeaders) {
  const base::TemporaryFolder folder;
  write_shard(folder / "a.tokens", 300);
  write_shard(folder / "b.tokens", 101);
  DataSizes sizes;
  const config::RunConfig steps = sizes.complete(on_shards(folder.path(), R"("steps": 20)"));
  EXPECT_EQ(steps.model.vocabulary, 300);
  EXPECT_EQ(steps.train.steps, 20);
  EXPECT_GT(run_flops(steps), 0);
  EXPECT_GT(run_memory_bytes(steps), 300'000'000);
  EXPECT_GT(run_disk(steps).running, 0u);
  // 40 samples of 10 tokens and one to predict, in batches of 4.
  EXPECT_EQ(sizes.complete(on_shards(folder.path(), R"("epochs": 2)")).train.steps, 20);
}

TEST(DataSizes, AreLeftOpenWhereTheDataCannotBeRead) {
  const base::TemporaryFolder folder;
  DataSizes sizes;
  const config::RunConfig run = sizes.complete(on_shards(folder / "absent", R"("steps": 20)"));
  EXPECT_FALSE(run.model.vocabulary.has_value());
  EXPECT_EQ(run_flops(run), 0);
}

}  // namespace
}  // namespace muonlab::study
