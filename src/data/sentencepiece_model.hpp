// What the two ways of reading a sentencepiece model have in common.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <sentencepiece_processor.h>

#include "data/model_proto.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

inline constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581, sentencepiece's space

// A piece with spaces in the place of kSpaceSymbol.
std::string with_spaces(std::string_view piece);

// Throws Error: this sentencepiece model `what`.
[[noreturn]] void refuse_model(const std::string& label, const std::string& what);

// Throws Error for a model that cannot be loaded, and for one without an end-of-text id.
void load_pieces(sentencepiece::SentencePieceProcessor& processor, const std::string& model,
                 const std::string& label);

// For a model that adds a space before a text, removes spaces or changes characters: the ids are
// those of sentencepiece. Throws Error for what it needs beyond that.
std::shared_ptr<const Tokenizer> make_normalizing_tokenizer(std::string model_bytes,
                                                            const ModelSettings& settings,
                                                            const std::string& label);

}  // namespace muonlab::data
