// Token ids of which no tokenizer is known: they can be trained on, but text cannot be turned into
// them.
#pragma once

#include <memory>
#include <string>

#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

std::shared_ptr<const Tokenizer> make_ids_tokenizer(int64_t vocabulary, int32_t end_of_text);
bool is_ids_tokenizer(const Tokenizer& tokenizer);
// From the tokenizer_config.json that a checkpoint of such a model has; null where it is another.
std::shared_ptr<const Tokenizer> read_ids_tokenizer(const std::string& json);

}  // namespace muonlab::data
