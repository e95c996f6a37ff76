// Text measured in a terminal's columns.
#include <algorithm>
#include <array>

#include "muonlab/base/text.hpp"

namespace muonlab::base {
namespace {

struct CodePoints {
  char32_t first, last;
};

// Combining marks and format characters that take no column (Unicode 15, the common blocks).
constexpr std::array<CodePoints, 11> kZeroWidth{{{0x0300, 0x036F},
                                                 {0x0483, 0x0489},
                                                 {0x0591, 0x05BD},
                                                 {0x0610, 0x061A},
                                                 {0x064B, 0x065F},
                                                 {0x200B, 0x200F},
                                                 {0x20D0, 0x20FF},
                                                 {0xFE00, 0xFE0F},
                                                 {0xFE20, 0xFE2F},
                                                 {0x1F3FB, 0x1F3FF},
                                                 {0xE0100, 0xE01EF}}};
// East Asian wide and full-width characters, and emoji.
constexpr std::array<CodePoints, 15> kTwoColumns{{{0x1100, 0x115F},
                                                  {0x231A, 0x231B},
                                                  {0x23E9, 0x23EC},
                                                  {0x2E80, 0x303E},
                                                  {0x3041, 0xA4CF},
                                                  {0xA960, 0xA97F},
                                                  {0xAC00, 0xD7A3},
                                                  {0xF900, 0xFAFF},
                                                  {0xFE30, 0xFE6F},
                                                  {0xFF00, 0xFF60},
                                                  {0xFFE0, 0xFFE6},
                                                  {0x1F300, 0x1F64F},
                                                  {0x1F680, 0x1F6FF},
                                                  {0x1F900, 0x1FAFF},
                                                  {0x20000, 0x3FFFD}}};

bool is_in(char32_t point, const auto& ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [point](const CodePoints& range) {
    return point >= range.first && point <= range.last;
  });
}

// A character at the start of a text: its bytes and its columns.
struct Character {
  size_t bytes, columns;
};

Character first_character(std::string_view text) {
  const size_t bytes = utf8_length(text);
  if (bytes < 2) return {1, 1};
  char32_t point = static_cast<unsigned char>(text[0]) & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; ++i)
    point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  return {bytes, is_in(point, kZeroWidth) ? 0u : is_in(point, kTwoColumns) ? 2u : 1u};
}

// Words of a line; numbers keep their signs and units.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool glue = false;
  for (const std::string& word : split(text, ' ')) {
    if (word.empty()) {  // more than one space: kept
      if (!words.empty()) words.back() += " ";
      continue;
    }
    const bool sign = word == "=" || word == "<" || word == "±";
    if (!words.empty() && (glue || sign || word.starts_with("%"))) {
      words.back() += " " + word;
    } else {
      words.push_back(word);
    }
    glue = sign;
  }
  return words;
}

// A word's parts that each fit, cut after commas only.
std::vector<std::string> parts_of(const std::string& word, size_t width) {
  if (display_width(word) <= width) return {word};
  std::vector<std::string> parts(1);
  for (size_t start = 0; start < word.size();) {
    const size_t comma = word.find(',', start);
    const size_t end = comma == std::string::npos ? word.size() : comma + 1;
    const std::string piece = word.substr(start, end - start);
    if (!parts.back().empty() && display_width(parts.back()) + display_width(piece) > width)
      parts.emplace_back();
    parts.back() += piece;
    start = end;
  }
  return parts;
}

}  // namespace

size_t display_width(std::string_view text) {
  size_t columns = 0;
  while (!text.empty()) {
    const Character character = first_character(text);
    columns += character.columns;
    text.remove_prefix(character.bytes);
  }
  return columns;
}

std::string pad_right(std::string_view text, size_t width) {
  const size_t own = display_width(text);
  return std::string(text) + std::string(own < width ? width - own : 0, ' ');
}

std::string pad_left(std::string_view text, size_t width) {
  const size_t own = display_width(text);
  return std::string(own < width ? width - own : 0, ' ') + std::string(text);
}

std::string clip_text(std::string_view text, size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return "";
  size_t end = 0, shown = 0;
  while (end < text.size()) {
    const Character next = first_character(text.substr(end));
    if (shown + next.columns > width - 1) break;
    shown += next.columns;
    end += next.bytes;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::vector<std::string> wrap_text(std::string_view text, size_t width) {
  std::vector<std::string> lines(1);
  size_t columns = 0;  // of the last line
  for (const std::string& word : words_of(text)) {
    const std::vector<std::string> parts = parts_of(word, width);
    const size_t first_columns = display_width(parts.front());
    if (!lines.back().empty() && columns + 1 + first_columns > width) {
      lines.emplace_back();
      columns = 0;
    }
    columns += (lines.back().empty() ? 0 : 1) + first_columns;
    lines.back() += (lines.back().empty() ? "" : " ") + parts.front();
    if (parts.size() == 1) continue;
    lines.insert(lines.end(), parts.begin() + 1, parts.end());
    columns = display_width(lines.back());
  }
  return lines;
}

}  // namespace muonlab::base
