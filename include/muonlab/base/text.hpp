// Text for people: suggestions, patterns, numbers with units, columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muonlab::base {

// The candidate nearest to a mistyped name, if its edit distance (insert, delete, replace, swap
// neighbours; case ignored) is at most a third of the name's length, rounded up.
std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates);

// Whole-text match: * any run of bytes, ? any one byte, [abc], [a-z], [!a] sets; a backslash takes
// the next literally. Linear in text times pattern.
bool glob_match(std::string_view pattern, std::string_view text);

std::string with_commas(int64_t value);       // 1,234,567
std::string human_count(double value);        // 945, 13.8 M, 1.25 G, 12.4 k
std::string human_bytes(uint64_t bytes);      // 512 bytes, 690 MB, 23.3 MB, 1.2 GB (powers of 1000)
std::string human_duration(double seconds);   // 0.2 s, 45 s, 14 min, 1 h 05 min, 3 d 4 h
std::string fixed(double value, int digits);  // printf %.*f
std::string scientific(double value, int digits);   // 1.0e-02
std::string significant(double value, int digits);  // printf %.*g: 0.01, 1e-05
// What reads back as the same number: six significant digits where they do, else as many as needed.
std::string exact(double value);
// four digits: 24.10, 572.0, 4054; from a million on 1.234e+06
std::string perplexity_text(double value);
// Four digits; "–" where the data have no tokenizer, so that nobody knows their bytes (NaN).
std::string bits_per_byte_text(double bits);

// Columns that a text takes on a terminal: two for a wide character, none for a combining mark, one
// for a malformed byte.
size_t display_width(std::string_view text);
std::string pad_right(std::string_view text, size_t width);  // text first
std::string pad_left(std::string_view text, size_t width);   // text last
// At most `width` columns, with "…" as the last one if something is cut.
std::string clip_text(std::string_view text, size_t width);
// Lines of at most `width` columns, broken at spaces; a longer word is broken after a comma, else
// it stays whole. A number stays on a line with its sign and unit ("p = 0.01", "96 %").
std::vector<std::string> wrap_text(std::string_view text, size_t width);

std::string join(std::span<const std::string> parts, std::string_view separator);
std::vector<std::string> split(std::string_view text, char separator);  // n separators, n + 1 parts
std::string_view trim(std::string_view text);  // without ASCII white space at both ends
bool is_valid_utf8(std::string_view text);
// Bytes of the valid UTF-8 sequence at the start of the text; 0 where there is none.
size_t utf8_length(std::string_view text);

}  // namespace muonlab::base
