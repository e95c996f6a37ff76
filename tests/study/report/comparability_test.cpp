#include "muonlab/study/report/comparability.hpp"

#include <array>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/shard.hpp"
#include "support/text.hpp"

namespace muonlab::study {
namespace {

using base::TemporaryFolder;
using support::holds;

record::RunRecord with_data(const std::string& data, const std::string& rest = "") {
  record::RunRecord run;
  run.config = config::parse_config(
                   R"({"name": "a", "train": {"steps": 4}, "data": )" + data + rest + "}", "a")
                   .run;
  return run;
}

const char* const kPeople = R"({"kind": "biographies", "m": 3, "tokenizer": {"kind": "byte"}})";

Comparability of(const record::RunRecord& a, const record::RunRecord& b) {
  const std::array<const record::RunRecord*, 2> runs{&a, &b};
  return comparability(runs);
}

TEST(Comparability, EqualDataAndOtherOptimizersAreComparable) {
  const Comparability same =
      of(with_data(kPeople), with_data(kPeople, R"(, "seed": 7, "eval": {"every": 3})"));
  EXPECT_TRUE(same.losses && same.bits_per_byte && same.training);
  EXPECT_TRUE(same.reasons.empty());
}

TEST(Comparability, OtherTextIsNotComparable) {
  const Comparability other =
      of(with_data(kPeople),
         with_data(R"({"kind": "biographies", "m": 4, "tokenizer": {"kind": "byte"}})"));
  EXPECT_FALSE(other.losses || other.bits_per_byte || other.training);
  ASSERT_EQ(other.reasons.size(), 1u);
  EXPECT_TRUE(holds(other.reasons[0], "different text (data.m)")) << other.reasons[0];
}

TEST(Comparability, OtherTokenizersLeaveBitsPerByte) {
  const Comparability other = of(
      with_data(kPeople),
      with_data(
          R"({"kind": "biographies", "m": 3, "tokenizer": {"kind": "bpe", "vocabulary": 300}})"));
  EXPECT_FALSE(other.losses);
  EXPECT_TRUE(other.bits_per_byte);
  EXPECT_TRUE(holds(other.reasons.at(0), "different tokenizers")) << other.reasons[0];
}

TEST(Comparability, OtherWindowsAreNotComparable) {
  for (const char* rest : {R"(, "eval": {"samples": 2})", R"(, "model": {"context": 32})"}) {
    const Comparability other = of(with_data(kPeople), with_data(kPeople, rest));
    EXPECT_FALSE(other.losses || other.bits_per_byte) << rest;
    EXPECT_TRUE(holds(other.reasons.at(0), "other windows")) << other.reasons[0];
  }
}

TEST(Comparability, WhatACheckpointRecordedDecides) {
  record::RunRecord a = with_data(R"({"kind": "shards", "train": ["t"], "valid": ["v"]})"),
                    b = with_data(R"({"kind": "shards", "train": ["t2"], "valid": ["v2"]})");
  EXPECT_FALSE(of(a, b).losses);
  a.data_identity = b.data_identity = "00ff";
  EXPECT_TRUE(of(a, b).losses) << "moved data are the same data";
  b = a;
  b.data_identity = "other";
  EXPECT_FALSE(of(a, b).losses) << "replaced files are other data";
}

std::string shard_folder(const std::string& folder, int id, uint64_t tokenizer, uint64_t bytes) {
  base::make_directories(folder);
  data::ShardHeader header;
  header.vocabulary = 300;
  header.end_of_text = 256;
  header.tokenizer_hash.low = tokenizer;
  data::ShardWriter writer(folder + "/a.tokens", header);
  const std::array<int32_t, 3> ids{id, 1, 256};
  writer.add(ids, bytes);
  writer.finish();
  return R"(["train"], "valid": [")" + folder + "\"]}";
}

TEST(Comparability, ShardsAreKnownByTheirContent) {
  const TemporaryFolder folder;
  const auto run = [&](const char* name, int id, uint64_t tokenizer, uint64_t bytes) {
    return with_data(R"({"kind": "shards", "train": )" +
                     shard_folder(folder / name, id, tokenizer, bytes));
  };
  const record::RunRecord first = run("a", 5, 1, 9);
  EXPECT_TRUE(of(first, run("copy", 5, 1, 9)).losses);
  EXPECT_FALSE(of(first, run("other", 6, 1, 9)).bits_per_byte);
  const Comparability tokenizer = of(first, run("tokenizer", 6, 2, 9));
  EXPECT_FALSE(tokenizer.losses);
  EXPECT_TRUE(tokenizer.bits_per_byte);
  EXPECT_FALSE(of(first, run("both", 6, 2, 8)).bits_per_byte);
}

TEST(Comparability, GroupsHoldTheRunsThatAreComparable) {
  const record::RunRecord a = with_data(kPeople),
                          b = with_data(kPeople, R"(, "eval": {"samples": 2})");
  const std::array<const record::RunRecord*, 4> runs{&a, &b, &a, &b};
  EXPECT_EQ(comparable_groups(runs), (std::vector<std::vector<size_t>>{{0, 2}, {1, 3}}));
}

}  // namespace
}  // namespace muonlab::study
