// The borders that no piece crosses. They are found within a few bytes of context, so text can be cut at any of them,
// encoded in parts, by any number of threads, and the ids joined are the ids of the whole.
//
// A pretoken is the longest of:
//   - a space (optional) followed by other characters, "▁word" in sentencepiece's writing;
//   - a run of spaces, without the last one when a word follows;
//   - a run of line feeds and carriage returns;
//   - a run of tabs;
//   - one raw item: U+2581 (which sentencepiece uses for the space), NUL, or a byte that is not part of valid UTF-8.
//     Raw items become byte ids.
// A word (with its space) is cut after kMaxPretokenBytes at most, between characters.
#pragma once

#include <cstddef>
#include <string_view>

namespace muonlab::data {

inline constexpr size_t kMaxPretokenBytes = 256;

enum class PretokenKind { word, spaces, newlines, tabs, raw };

struct Pretoken {
  std::string_view text;
  PretokenKind kind;
};

// The pretoken that begins at `text`'s first byte; text must not be empty. Decided by at most kMaxPretokenBytes + 8
// bytes for words and by the run itself for the others; runs are cut after kMaxPretokenBytes too.
Pretoken first_pretoken(std::string_view text);

// The last place in `text` (> 0) that is a border whatever follows `text`, given that text begins at one; 0 if there
// is none, which cannot be once text is longer than 2 * kMaxPretokenBytes + 16.
size_t last_safe_cut(std::string_view text);

}  // namespace muonlab::data
