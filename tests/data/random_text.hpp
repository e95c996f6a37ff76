// Strings that are hard on a tokenizer.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace muonlab::data {

inline void append_utf8(std::string& text, uint32_t point) {
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xC0 | (point >> 6));
    text += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    text += static_cast<char>(0xE0 | (point >> 12));
    text += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    text += static_cast<char>(0xF0 | (point >> 18));
    text += static_cast<char>(0x80 | ((point >> 12) & 0x3F));
    text += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (point & 0x3F));
  }
}

// Words, runs of white space of all lengths, control characters, U+2581, any scalar value, names of
// special pieces.
inline std::string random_utf8(std::mt19937& random, size_t parts) {
  const auto below = [&](uint32_t bound) { return random() % bound; };
  static const std::vector<std::string> fragments = {"the",
                                                     " and",
                                                     "Whale",
                                                     "\xE2\x96\x81",
                                                     "\xE2\x96\x85",
                                                     "\xEF\xBF\xBD",
                                                     "\xEF\xBB\xBF",
                                                     "<0x0A>",
                                                     "<|endoftext|>",
                                                     "<unk>",
                                                     "<s>",
                                                     "▁▁the",
                                                     "naïve",
                                                     "日本語",
                                                     "e\xCC\x81",
                                                     "👩‍👩‍👧",
                                                     "\r\n",
                                                     " \n",
                                                     "\n ",
                                                     "\t ",
                                                     " \t",
                                                     "1234",
                                                     "…",
                                                     "\xC2\xA0",
                                                     "\xE3\x80\x80",
                                                     " \xE2\x96\x81",
                                                     "\x7F"};
  std::string text;
  for (size_t i = 0; i < parts; ++i) {
    switch (below(8)) {
      case 0: text.append(below(70), ' '); break;
      case 1: text.append(below(5), '\n'); break;
      case 2: text.append(below(70) == 0 ? 150 : below(4), "\t\n\r "[below(4)]); break;
      case 3: text += static_cast<char>(below(32)); break;
      case 4: {
        uint32_t point = below(0x110000);
        if (point >= 0xD800 && point < 0xE000) point = 0x41;
        append_utf8(text, point);
        break;
      }
      case 5:
        text.append(below(30) == 0 ? 300 : below(10), static_cast<char>('a' + below(26)));
        break;
      default: text += fragments[below(fragments.size())];
    }
  }
  return text;
}

inline std::string random_bytes(std::mt19937& random, size_t count) {
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

}  // namespace muonlab::data
