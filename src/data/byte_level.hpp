// Byte-level BPE as a tokenizer.json of Hugging Face describes it.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/added_tokens.hpp"
#include "data/byte_pairs.hpp"
#include "data/split_pattern.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

struct ByteLevelParts {
  std::string json;               // the file that describes all of this
  std::string end_of_text_token;  // its content there
  int32_t end_of_text = 0;
  AddedTokens raw_tokens, normalized_tokens;
  bool nfc = false;
  std::vector<SplitPattern>
      splits;  // one after the other, each within the pieces of the one before
  std::unordered_map<std::string, int32_t> whole;  // pretokens that are ids without any merge
  BytePairs pairs{{}};
  std::vector<std::string> texts;  // by id; of end-of-text, kEndOfText
  // Whether a line feed between a letter or digit and a letter ends a pretoken, whatever follows,
  // and text before it is cut as if the text ended there.
  bool line_ends_are_borders = false;
};

// Throws Error naming what in the file is not supported or malformed, and a remedy. `end_of_text`
// is the content of the end-of-text token; empty: the one of a well-known name.
ByteLevelParts read_tokenizer_json(std::string json, const std::string& end_of_text,
                                   const std::string& label);
std::shared_ptr<const Tokenizer> make_byte_level_tokenizer(ByteLevelParts parts);

// The printable character that stands for each byte in vocab and merges, in UTF-8.
const std::vector<std::string>& byte_level_characters();

}  // namespace muonlab::data
