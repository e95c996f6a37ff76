#include "muonlab/data/pretoken.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace muonlab::data {

namespace {

enum Class : uint8_t { kWord, kSpace, kNewline, kTab, kRaw, kMultibyte };

constexpr std::array<Class, 256> make_classes() {
  std::array<Class, 256> classes{};
  for (int byte = 0; byte < 256; ++byte) classes[byte] = byte < 0x80 ? kWord : kMultibyte;
  classes[' '] = kSpace;
  classes['\n'] = kNewline;
  classes['\r'] = kNewline;
  classes['\t'] = kTab;
  classes[0] = kRaw;
  return classes;
}
constexpr std::array<Class, 256> kClasses = make_classes();

uint8_t byte_at(std::string_view text, size_t i) { return static_cast<uint8_t>(text[i]); }

struct Character {
  Class kind;
  size_t length;
};

// The character at text[at] with its final class (never kMultibyte).
Character character_at(std::string_view text, size_t at) {
  const Class kind = kClasses[byte_at(text, at)];
  if (kind != kMultibyte) return {kind, 1};
  const size_t length = utf8_character_length(text.substr(at, 4));
  if (length == 0) return {kRaw, 1};
  if (length == 3 && text.substr(at, 3) == "\xE2\x96\x81") return {kRaw, 3};
  return {kWord, length};
}

// The end of the word that begins at text[at], with at most kMaxPretokenCharacters; `at` if there
// is none.
size_t word_end(std::string_view text, size_t at) {
  for (size_t n = 0; n < kMaxPretokenCharacters && at < text.size(); ++n) {
    const Character c = character_at(text, at);
    if (c.kind != kWord) break;
    at += c.length;
  }
  return at;
}

size_t run_end(std::string_view text, Class kind, size_t limit) {
  size_t end = 1;
  while (end < std::min(text.size(), limit) && kClasses[byte_at(text, end)] == kind) ++end;
  return end;
}

}  // namespace

size_t utf8_character_length(std::string_view text) {
  if (text.empty()) return 0;
  const uint8_t lead = byte_at(text, 0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte_at(text, i) & 0xC0) != 0x80) return 0;
  }
  const uint8_t second = byte_at(text, 1);
  if (lead == 0xE0 && second < 0xA0) return 0;  // overlong
  if (lead == 0xED && second > 0x9F) return 0;  // surrogates
  if (lead == 0xF0 && second < 0x90) return 0;  // overlong
  if (lead == 0xF4 && second > 0x8F) return 0;  // above U+10FFFF
  return length;
}

Pretoken first_pretoken(std::string_view text) {
  const Character first = character_at(text, 0);
  switch (first.kind) {
    case kRaw: return {text.substr(0, first.length), PretokenKind::raw};
    case kNewline:
      return {text.substr(0, run_end(text, kNewline, kMaxPretokenCharacters)),
              PretokenKind::newlines};
    case kTab:
      return {text.substr(0, run_end(text, kTab, kMaxPretokenCharacters)), PretokenKind::tabs};
    case kSpace: {
      size_t run = run_end(text, kSpace, kMaxPretokenCharacters + 1);
      if (run == 1) {
        const size_t end = word_end(text, 1);
        if (end > 1) return {text.substr(0, end), PretokenKind::word};
      } else if (run > kMaxPretokenCharacters) {
        run = kMaxPretokenCharacters;
      } else if (run < text.size() && character_at(text, run).kind == kWord) {
        --run;
      }
      return {text.substr(0, run), PretokenKind::spaces};
    }
    default: return {text.substr(0, word_end(text, 0)), PretokenKind::word};
  }
}

size_t last_safe_cut(std::string_view text) {
  // White space after anything of another class begins a pretoken, whatever came before or comes
  // after.
  for (size_t i = text.size(); i-- > 1;) {
    const Class kind = kClasses[byte_at(text, i)];
    const bool white = kind == kSpace || kind == kNewline || kind == kTab;
    if (white && kClasses[byte_at(text, i - 1)] != kind) return i;
  }
  size_t cut = 0;
  while (cut < text.size()) {
    const size_t end = cut + first_pretoken(text.substr(cut)).text.size();
    if (end + 8 > text.size()) break;
    cut = end;
  }
  return cut;
}

}  // namespace muonlab::data
