// The texts of the documents in a chunk.
#pragma once

#include <functional>
#include <string_view>

#include "data/chunk_reader.hpp"

namespace muonlab::data {

// Calls take(text, ends_document) for the documents of a chunk in their order; a text's first may
// have begun in an earlier chunk, and its last may go on. Throws Error naming file and line of what
// is no UTF-8 and, unless options.skip_bad_lines, of a JSON value without the text; else adds it to
// `bad`.
void for_each_text(const Chunk& chunk, const ReadOptions& options, BadLines& bad,
                   const std::function<void(std::string_view text, bool ends_document)>& take);

}  // namespace muonlab::data
