// Token files in the layouts of other programs, and theirs as shards (docs/formats.md, "Token files
// of other programs").
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "muonlab/data/shard.hpp"

namespace muonlab::data {

enum class TokenLayout { muonlab, llmc, uint16, uint32, npy, megatron };
// "muonlab", "llm.c", "uint16", "uint32", "npy", "megatron"
const std::vector<std::string>& token_layout_names();

struct Converted {
  std::vector<std::string> files;  // what was written
  uint64_t num_tokens = 0, num_documents = 0;
};

// Told how many of how many ids are written.
using ConvertProgress = std::function<void(uint64_t done, uint64_t total)>;

// Writes the ids of token files, or folders of them, one after the other, into one file; into a
// folder of shards for muonlab, whose tokenizer `options` must name where none lies beside the
// inputs. For megatron `out` is without .bin and .idx. Every file has its name only once it is
// complete. Throws Error: files of different vocabularies, end-of-text ids or tokenizers (where the
// files say which), an id that the layout cannot hold, or `out` is there already, which is never
// written over.
Converted convert_tokens(const std::vector<std::string>& inputs, const TokenFileOptions& options,
                         TokenLayout layout, const std::string& out,
                         const ConvertProgress& progress = {});

}  // namespace muonlab::data
