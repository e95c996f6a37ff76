// Code points: their general categories, and the normalization form NFC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muonlab::data {

inline constexpr char32_t kNumCodePoints = 0x110000;

// A set of general categories, a bit each.
using CategorySet = uint32_t;

// "Lu" is one category, "L" all that begin so. None for other names (scripts, properties).
std::optional<CategorySet> category_set(std::string_view name);
bool in_categories(char32_t point, CategorySet set);
bool is_white_space(char32_t point);  // \s
// Rust's char::is_numeric, by which the tokenizers library finds digits.
bool is_numeric(char32_t point);

// The code point at the beginning of `text`, which is valid UTF-8 there and not empty; sets its
// length in bytes.
char32_t decode_character(std::string_view text, size_t& length);
void append_utf8(std::string& out, char32_t point);

// NFC of valid UTF-8, as the tokenizers library makes it (marks that Unicode 11 and later added
// stay where they are).
std::string nfc(std::string_view text);
// False means that nfc(text) == text, found fast; true that it may differ.
bool may_change_by_nfc(std::string_view text);

}  // namespace muonlab::data
