#include "muonlab/base/visible.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "muonlab/base/text.hpp"

namespace muonlab::base {
namespace {

// Bytes of the character that starts here; 0 where they are no UTF-8.
size_t character_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  return length <= text.size() && is_valid_utf8(text.substr(0, length)) ? length : 0;
}

unsigned code_point(std::string_view character) {
  constexpr std::array<unsigned, 5> kFirstBits{0, 0x7F, 0x1F, 0x0F, 0x07};
  unsigned code = static_cast<unsigned char>(character[0]) & kFirstBits[character.size()];
  for (char c : character.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3F);
  return code;
}

bool is_obeyed(unsigned code) {
  if (code == '\n' || code == '\t') return false;
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  const bool direction = code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
                         (code >= 0x2066 && code <= 0x2069);
  return control || direction || code == 0x2028 || code == 0x2029;
}

// Length of one of coloured()'s escape codes at the start of the text; 0 for anything else.
size_t colour_length(std::string_view text) {
  for (const std::string_view code :
       {"\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[90m"}) {
    if (text.starts_with(code)) return code.size();
  }
  return 0;
}

std::string escape(const char* format, unsigned value) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

}  // namespace

std::string visible(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t length = colour_length(text);
    if (length > 0) {
      out += text.substr(0, length);
    } else if (length = character_length(text); length == 0) {
      length = 1;
      out += escape("\\x%02x", static_cast<unsigned char>(text.front()));
    } else if (const unsigned code = code_point(text.substr(0, length)); is_obeyed(code)) {
      out += escape(code < 0x80 ? "\\x%02x" : "\\u%04x", code);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

VisibleStream::VisibleStream(std::ostream& stream) : stream_(stream), target_(stream.rdbuf(this)) {}

VisibleStream::~VisibleStream() {
  put(held_.size());
  target_->pubsync();
  stream_.rdbuf(target_);
}

VisibleStream::int_type VisibleStream::overflow(int_type c) {
  if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
  const char one = traits_type::to_char_type(c);
  xsputn(&one, 1);
  return c;
}

std::streamsize VisibleStream::xsputn(const char* text, std::streamsize count) {
  held_.append(text, static_cast<size_t>(count));
  put(held_.rfind('\n') + 1);  // nothing where there is no line feed
  return count;
}

int VisibleStream::sync() {
  // A character that comes in pieces waits for its end.
  size_t whole = held_.size();
  for (size_t back = 1; back <= std::min<size_t>(3, held_.size()); ++back) {
    const auto c = static_cast<unsigned char>(held_[held_.size() - back]);
    if ((c & 0xC0) == 0x80) continue;
    const size_t length = c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (length > back) whole = held_.size() - back;
    break;
  }
  put(whole);
  return target_->pubsync();
}

void VisibleStream::put(size_t count) {
  const std::string text = visible(std::string_view(held_).substr(0, count));
  target_->sputn(text.data(), static_cast<std::streamsize>(text.size()));
  held_.erase(0, count);
}

}  // namespace muonlab::base
