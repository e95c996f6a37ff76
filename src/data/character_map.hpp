// The rules by which a sentencepiece model changes characters before it looks for pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace muonlab::data {

struct CharacterRule {
  std::string from, to;
};

// All rules of a precompiled_charsmap (sentencepiece, normalizer.h: a Darts double array of the
// texts that are replaced, then what replaces them, each with a NUL behind it). Throws Error when
// the bytes are no such map; `label` names the model.
std::vector<CharacterRule> read_character_map(std::string_view bytes, const std::string& label);

}  // namespace muonlab::data
