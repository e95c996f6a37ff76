// The added tokens of a tokenizer.json, found in text before it is cut by patterns.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace muonlab::data {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool left_strip = false, right_strip = false;  // white space beside it belongs to it
  bool normalized = false;                       // looked for after normalization
  bool special = false;                          // never made from text
};

// Those that are looked for at one time.
class AddedTokens {
 public:
  void add(const AddedToken& token);
  bool empty() const { return tokens_.empty(); }
  // Calls text(part) for what lies between tokens, and token(id) for these; the longest token that
  // begins first counts. A special one is text, as with encode_special_tokens of the tokenizers
  // library.
  void split(std::string_view whole, const std::function<void(std::string_view)>& text,
             const std::function<void(int32_t)>& token) const;

 private:
  const AddedToken* find(std::string_view text, size_t& at) const;

  std::vector<AddedToken> tokens_;
  std::array<std::vector<size_t>, 256> by_first_byte_;  // the longest first
};

}  // namespace muonlab::data
