#include "data/added_tokens.hpp"

#include <algorithm>

#include "data/unicode.hpp"

namespace muonlab::data {

namespace {

// White space at the end of `text`, in bytes.
size_t space_at_end(std::string_view text) {
  size_t begin = text.size();
  for (size_t at = text.size(); at > 0;) {
    do {
      --at;
    } while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80);
    size_t length = 0;
    if (!is_white_space(decode_character(text.substr(at), length))) break;
    begin = at;
  }
  return text.size() - begin;
}

size_t space_at_start(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    size_t length = 0;
    if (!is_white_space(decode_character(text.substr(at), length))) break;
    at += length;
  }
  return at;
}

}  // namespace

void AddedTokens::add(const AddedToken& token) {
  tokens_.push_back(token);
  auto& row = by_first_byte_[static_cast<uint8_t>(token.content[0])];
  row.push_back(tokens_.size() - 1);
  std::stable_sort(row.begin(), row.end(), [&](size_t a, size_t b) {
    return tokens_[a].content.size() > tokens_[b].content.size();
  });
}

const AddedToken* AddedTokens::find(std::string_view text, size_t& at) const {
  for (; at < text.size(); ++at) {
    for (const size_t index : by_first_byte_[static_cast<uint8_t>(text[at])]) {
      if (text.substr(at).starts_with(tokens_[index].content)) return &tokens_[index];
    }
  }
  return nullptr;
}

void AddedTokens::split(std::string_view whole, const std::function<void(std::string_view)>& text,
                        const std::function<void(int32_t)>& token) const {
  size_t done = 0, at = 0;
  while (const AddedToken* found = find(whole, at)) {
    size_t begin = at, end = at + found->content.size();
    at = end;
    if (found->special) continue;
    if (found->left_strip) begin = std::max(done, begin - space_at_end(whole.substr(0, begin)));
    if (found->right_strip) end += space_at_start(whole.substr(end));
    if (begin > done) text(whole.substr(done, begin - done));
    token(found->id);
    done = end;
  }
  if (done < whole.size()) text(whole.substr(done));
}

}  // namespace muonlab::data
