// Token files of other programs: where in the file the ids lie, and how wide they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "muonlab/base/readable_file.hpp"

namespace muonlab::data {

struct TokenFile {
  std::string_view format;  // "llm.c", "llm.q", "NumPy", "Megatron", "datatrove" or "headerless"
  uint32_t id_bytes = 2;    // 2 or 4
  uint64_t first_byte = 0;  // of the ids
  uint64_t num_tokens = 0;
  std::optional<uint64_t> vocabulary;  // where the file names it
};

// headerless_bytes: the width of ids without a header; 0: not known. Throws Error naming the field
// that is wrong, or what is not supported.
TokenFile read_token_file(const base::ReadableFile& file, uint32_t headerless_bytes);

}  // namespace muonlab::data
