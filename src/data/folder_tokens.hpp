// What the files beside a tokenizer in a Hugging Face folder say about its tokens.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace muonlab::data {

// The eos_token of the folder's tokenizer_config.json; empty where it names none. Throws Error when
// the file is no JSON object, as the others do.
std::string named_end_of_text(const std::string& folder);
// Tokens by id that added_tokens.json or tokenizer_config.json name, and the ids are `first` or
// more: those that a vocabulary of so many lacks.
std::map<int64_t, std::string> tokens_beyond(const std::string& folder, int64_t first);

}  // namespace muonlab::data
