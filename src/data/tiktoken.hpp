// tiktoken's files of ranked tokens, as a tokenizer.json describes the same tokenizer.
#pragma once

#include <string>
#include <string_view>

namespace muonlab::data {

// Whether a file's first line is a token in base64 and a rank.
bool is_tiktoken(std::string_view text);
// The tokenizer.json. The file holds neither the expression that cuts the text nor the special
// tokens; both are those of the known vocabulary with that number of ranks. Throws Error for a
// malformed file and for an unknown vocabulary, with the known ones.
std::string tiktoken_to_json(std::string_view text, const std::string& label);

}  // namespace muonlab::data
