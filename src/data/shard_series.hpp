// Ids written as shards of equal size, one after the other, in a folder.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "muonlab/data/shard.hpp"
#include "muonlab/data/tokenize.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

class ShardSeries {
 public:
  // Each of shard_tokens ids but the last. The folder must exist.
  ShardSeries(const Tokenizer& tokenizer, std::string folder, int64_t shard_tokens)
      : tokenizer_(tokenizer), folder_(std::move(folder)), shard_tokens_(shard_tokens) {}

  // text_bytes: what these ids stand for, without end-of-text.
  void add(std::span<const int32_t> ids, uint64_t text_bytes);
  void close();
  uint64_t num_tokens() const;
  // Of the shards that are closed; their names are without the folder.
  const ShardTotals& totals() const { return totals_; }

 private:
  void open_next();
  uint64_t bytes_of(std::span<const int32_t> ids) const;

  const Tokenizer& tokenizer_;
  std::string folder_;
  int64_t shard_tokens_;
  std::unique_ptr<ShardWriter> writer_;
  ShardTotals totals_;
};

}  // namespace muonlab::data
