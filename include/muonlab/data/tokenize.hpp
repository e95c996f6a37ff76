// Text files to shards: streaming, on several threads, in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/data/inputs.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

struct TokenizeOptions {
  std::vector<std::string> inputs;  // as in inputs.hpp
  ReadOptions read;
  double valid_share = 0;          // of the documents, kept for validation: 0, or below 1
  int64_t shard_tokens = 1 << 28;  // ids a shard; only the last one may hold fewer
  // Documents with fewer or more bytes of text are left out; 0: no limit.
  uint64_t min_bytes = 0, max_bytes = 0;
  bool deduplicate = false;  // of documents with equal text the first one stays
  int threads = 1;           // the result does not depend on it
  bool force = false;        // replace an existing output folder
};

struct ShardTotals {
  std::vector<std::string> shards;
  uint64_t num_tokens = 0, num_documents = 0, text_bytes = 0;
};
struct TokenizeResult : ShardTotals {  // of all, or of the training part
  std::optional<ShardTotals> valid;
  std::vector<std::string> left_out;  // files in folders, as in inputs.hpp
  BadLines bad_lines;
  uint64_t num_splits = 0;  // times that ReadOptions::split_at was met
  // documents left out, each counted once
  uint64_t num_too_short = 0, num_too_long = 0, num_repeated = 0;
};

// Bytes of input read (compressed as on disk) of the total, and ids made so far.
using TokenizeProgress =
    std::function<void(uint64_t done_bytes, uint64_t total_bytes, uint64_t tokens)>;

// Writes out_dir/shard-00000.tokens … and out_dir/tokenizer.model (not for bytes). With a
// valid_share these go into out_dir/train and out_dir/valid: of every 1 / valid_share documents, in
// the order they are read, the middle one is for validation. The folder appears complete or not at
// all: everything is made in out_dir + ".partial" and renamed (base/partial_output.hpp). Throws
// Error naming file and line of a bad JSON line, where too few documents leave a part empty, and
// when out_dir exists without force, or holds files that are not of this kind, and InUse where
// another process writes out_dir. Empty documents are left out.
TokenizeResult tokenize_files(const Tokenizer& tokenizer, const std::string& out_dir,
                              const TokenizeOptions& options,
                              const TokenizeProgress& progress = {});

}  // namespace muonlab::data
