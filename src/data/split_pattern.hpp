// The regular expressions by which tokenizer.json files cut text, matched as Oniguruma does in the
// tokenizers library. Known: characters and escapes, classes, \s \S \d \p{category}, the
// quantifiers ? * + {m,n} (greedy), groups, (?i:), alternatives, look-ahead and $. Everything else
// is refused by name. A library is not used because its Unicode version would have to be that of
// the tokenizers library: a letter of another version is another id.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace muonlab::data {

// A set of code points.
class CharacterSet {
 public:
  CharacterSet();
  void add(char32_t first, char32_t last);
  template <class Predicate>
  void add_if(Predicate belongs);
  void add_all(const CharacterSet& other);
  void negate();
  bool contains(char32_t point) const { return (bits_[point / 64] >> (point % 64) & 1) != 0; }

 private:
  std::vector<uint64_t> bits_;
};

class SplitPattern {
 public:
  // Throws Error saying what in the expression is not known.
  explicit SplitPattern(std::string_view expression);
  ~SplitPattern();
  SplitPattern(SplitPattern&&) noexcept;
  // That text itself.
  static SplitPattern literal(std::string_view text);
  // Characters that are numeric (is_numeric), each by itself or as runs.
  static SplitPattern digits(bool individual);

  struct Range {
    size_t begin, end;  // begin == end: there is none
  };
  // The first match at or after `from` that is not empty. `text` is valid UTF-8. Throws Error where
  // the pattern tries far too many ways to match.
  Range find(std::string_view text, size_t from) const;

 private:
  friend class PatternParser;
  struct Node;
  SplitPattern();
  // `steps` is how many are left.
  size_t match(int node, std::string_view text, size_t at, int64_t& steps) const;
  size_t match_set(const Node& node, std::string_view text, size_t at, int64_t& steps) const;
  void take_steps(int64_t count, int64_t& steps) const;
  void find_first_bytes();
  bool first_bytes_of(int node, std::vector<bool>& bytes) const;

  std::string name_;  // the expression, for messages
  std::vector<Node> nodes_;
  std::vector<std::unique_ptr<const CharacterSet>> sets_;
  int start_ = 0;
  std::vector<bool> first_bytes_;  // with which a match can begin
};

}  // namespace muonlab::data
