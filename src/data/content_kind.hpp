// What bytes are, told by themselves.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "muonlab/data/inputs.hpp"

namespace muonlab::data {

// From a file's first bytes.
Packing packing_of(std::string_view head);

// Why `head`, the beginning of an unpacked file, is not UTF-8 text, and what to do about it, as in
// "holds Avro data; convert it to JSON lines first". Absent for text, also where some bytes of
// it are not UTF-8.
std::optional<std::string> why_no_text(std::string_view head);

// The place of the first byte that is not part of valid UTF-8; npos where all is valid.
size_t first_invalid_utf8(std::string_view text);

// What to do about a byte that is not UTF-8, in a file that is text otherwise.
std::string not_utf8(char byte);

}  // namespace muonlab::data
