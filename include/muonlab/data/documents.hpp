// Documents one after the other, from texts and from token files.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "muonlab/data/inputs.hpp"
#include "muonlab/data/shard.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

struct Document {
  std::string file;
  std::vector<int32_t> ids;  // without end-of-text
  uint64_t text_bytes = 0;   // that the ids stand for; 0 where the tokenizer is not known
};

// Calls visit for the documents of the files and folders in their order, empty ones left out: of
// token files (.tokens, .bin, .npy, .ds) what lies between end-of-text ids, of others what
// inputs.hpp says. `token_files` says what files of other programs do not; its tokenizer must be
// set, and makes the ids of texts. Throws Error for ids of another tokenizer.
void each_document(const std::vector<std::string>& paths, const ReadOptions& read,
                   const TokenFileOptions& token_files,
                   const std::function<void(const Document&)>& visit);

}  // namespace muonlab::data
