// The borders that no piece crosses. They are found within a few bytes of context, so text can be
// cut at any of them, encoded in parts, by any number of threads, and the ids joined are the ids of
// the whole.
//
// A pretoken is the longest of:
//   - a space (optional) followed by other characters, "▁word" in sentencepiece's writing;
//   - a run of spaces, without the last one when a word follows;
//   - a run of line feeds and carriage returns;
//   - a run of tabs;
//   - one raw item: U+2581 (which sentencepiece uses for the space), NUL, or a byte that is not
//   part of valid UTF-8.
//     Raw items become byte ids.
// Words and runs are cut after kMaxPretokenCharacters (a word's space not counted).
#pragma once

#include <cstddef>
#include <string_view>

namespace muonlab::data {

inline constexpr size_t kMaxPretokenCharacters = 64;
inline constexpr size_t kMaxPretokenBytes = 4 * kMaxPretokenCharacters + 1;

enum class PretokenKind { word, spaces, newlines, tabs, raw };

struct Pretoken {
  std::string_view text;
  PretokenKind kind;
};

// The pretoken that begins at `text`'s first byte; text must not be empty. Bytes more than 8 after
// its end do not matter.
Pretoken first_pretoken(std::string_view text);

// The last place in `text` (> 0) that is a border whatever follows `text`, given that text begins
// at one; 0 if there is none, which cannot be once text is longer than kMaxPretokenBytes + 8.
size_t last_safe_cut(std::string_view text);

// The length, 1 to 4, of the valid UTF-8 character at the beginning of `text` (RFC 3629: no
// surrogates, nothing above U+10FFFF, no overlong form), or 0.
size_t utf8_character_length(std::string_view text);

// The same borders as a regular expression (Oniguruma), for tokenizer.json; in valid UTF-8 its
// matches are the pretokens.
inline constexpr std::string_view kPretokenPattern =
    " ?[^ \\n\\r\\t\\x{2581}\\x{0}]{1,64}| {1,64}(?= [^ \\n\\r\\t\\x{2581}\\x{0}])| "
    "{1,64}|[\\n\\r]{1,64}"
    "|\\t{1,64}|[\\x{2581}\\x{0}]";

}  // namespace muonlab::data
