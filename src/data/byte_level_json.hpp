// A tokenizer.json of byte-level BPE, written.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace muonlab::data {

struct ByteLevelFile {
  std::vector<std::pair<std::string, int32_t>> tokens;      // their bytes, and ids
  std::vector<std::pair<std::string, std::string>> merges;  // of bytes, by rank
  std::vector<std::pair<std::string, int32_t>> special;     // as text
  std::string expression;                                   // that cuts text; empty: GPT-2's
  bool ignore_merges = false;  // a pretoken that is a token is not merged together
};

std::string byte_level_json(const ByteLevelFile& file);

}  // namespace muonlab::data
