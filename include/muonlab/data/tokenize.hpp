// Text files to shards: streaming, on several threads, in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

struct TokenizeOptions {
  std::vector<std::string> inputs;  // as in inputs.hpp
  std::string field = "text";       // the string of a JSON line
  int64_t shard_tokens = 1 << 28;   // ids a shard; only the last one may hold fewer
  int threads = 1;                  // the result does not depend on it
  bool force = false;               // replace an existing output folder
};

struct TokenizeResult {
  std::vector<std::string> shards;
  uint64_t num_tokens = 0, num_documents = 0, text_bytes = 0;
};

// Bytes of input read (compressed as on disk) of the total, and ids made so far.
using TokenizeProgress =
    std::function<void(uint64_t done_bytes, uint64_t total_bytes, uint64_t tokens)>;

// Writes out_dir/shard-00000.tokens … and out_dir/tokenizer.model (not for bytes). The folder
// appears complete or not at all: everything is made in out_dir + ".partial" and renamed. Throws
// Error naming file and line of a bad JSON line, and when out_dir exists without force, or holds
// files that are not of this kind. Empty documents are left out.
TokenizeResult tokenize_files(const Tokenizer& tokenizer, const std::string& out_dir,
                              const TokenizeOptions& options,
                              const TokenizeProgress& progress = {});

}  // namespace muonlab::data
