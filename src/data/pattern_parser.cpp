// Regular expressions into the nodes of a SplitPattern, from the back: a part is made when the node
// that follows it is known.
#include <functional>
#include <optional>

#include "data/pattern_node.hpp"
#include "data/unicode.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::data {

template <class Predicate>
void CharacterSet::add_if(Predicate belongs) {
  for (char32_t point = 0; point < kNumCodePoints; ++point) {
    if (belongs(point)) bits_[point / 64] |= uint64_t{1} << point % 64;
  }
}

namespace {

// More than any tokenizer has. Matching calls itself once a part, and every part holds the bits of
// a set of characters.
constexpr int kMaxParts = 1000, kMaxDepth = 200;

}  // namespace

class PatternParser {
 public:
  // A part of the expression: given the node that follows, it makes its own and returns the first.
  using Part = std::function<int(int next)>;

  PatternParser(std::string_view expression, SplitPattern& pattern)
      : rest_(expression), pattern_(pattern) {
    pattern_.name_ = base::clip_text(expression, 200);
  }

  void parse() {
    const Part all = alternatives(false);
    if (!rest_.empty()) refuse("\")\"");
    pattern_.start_ = all(make({}));
    pattern_.find_first_bytes();
  }

  void parse_literal() {
    const int accept = make({});
    std::vector<char32_t> points;
    while (!rest_.empty()) {
      count_part();
      points.push_back(take_character());
    }
    int next = accept;
    for (auto at = points.rbegin(); at != points.rend(); ++at) {
      CharacterSet set;
      set.add(*at, *at);
      next = make_set(std::move(set), 1, 1, next);
    }
    pattern_.start_ = next;
    pattern_.find_first_bytes();
  }

  void make_digits(bool individual) {
    CharacterSet set;
    set.add_if(is_numeric);
    pattern_.start_ = make_set(std::move(set), 1, individual ? 1 : Node::kUnlimited, make({}));
    pattern_.find_first_bytes();
  }

 private:
  using Node = SplitPattern::Node;

  [[noreturn]] void refuse(const std::string& what) const {
    throw base::Error("the pattern ", pattern_.name_, " holds ", what,
                      ", which muonlab does not know");
  }
  void count_part() {
    if (++num_parts_ > kMaxParts) refuse("more than 1,000 parts");
  }

  int make(Node node) {
    pattern_.nodes_.push_back(std::move(node));
    return static_cast<int>(pattern_.nodes_.size()) - 1;
  }
  int make_set(CharacterSet set, int64_t min, int64_t max, int next) {
    pattern_.sets_.push_back(std::make_unique<CharacterSet>(std::move(set)));
    Node node;
    node.kind = Node::Kind::set;
    node.set = static_cast<int>(pattern_.sets_.size()) - 1;
    node.min = min;
    node.max = max;
    node.next = next;
    return make(std::move(node));
  }

  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  char32_t take_character() {
    if (rest_.empty()) refuse("an end where a character is wanted");
    size_t length = 0;
    const char32_t point = decode_character(rest_, length);
    rest_.remove_prefix(length);
    return point;
  }

  Part alternatives(bool fold) {
    std::vector<Part> all{sequence(fold)};
    while (take("|")) all.push_back(sequence(fold));
    if (all.size() == 1) return all.front();
    return [this, all](int next) {
      Node node;
      node.kind = Node::Kind::branch;
      for (const Part& part : all) node.branches.push_back(part(next));
      return make(std::move(node));
    };
  }

  Part sequence(bool fold) {
    std::vector<Part> parts;
    while (!rest_.empty() && rest_[0] != '|' && rest_[0] != ')') parts.push_back(item(fold));
    return [parts](int next) {
      for (auto at = parts.rbegin(); at != parts.rend(); ++at) next = (*at)(next);
      return next;
    };
  }

  Part item(bool fold) {
    count_part();
    if (take("(")) return group(fold);
    if (take("$")) {
      return [this](int next) {
        Node node;
        node.kind = Node::Kind::end;
        node.next = next;
        return make(std::move(node));
      };
    }
    CharacterSet set = one_set(fold);
    const auto [min, max] = quantifier();
    return [this, set, min = min, max = max](int next) { return make_set(set, min, max, next); };
  }

  Part group(bool fold) {
    enum class Look { none, ahead, not_ahead } look = Look::none;
    if (take("?=")) {
      look = Look::ahead;
    } else if (take("?!")) {
      look = Look::not_ahead;
    } else if (take("?i:")) {
      fold = true;
    } else if (!take("?:") && rest_.starts_with("?")) {
      refuse("a group that begins with \"(" + std::string(rest_.substr(0, 3)) + "\"");
    }
    if (++depth_ > kMaxDepth) refuse("groups within groups, more than 200 deep");
    const Part inside = alternatives(fold);
    --depth_;
    if (!take(")")) refuse("a group without its end");
    if (look != Look::none) {
      return [this, inside, look](int next) {
        Node node;
        node.kind = Node::Kind::look_ahead;
        node.branches = {inside(make({}))};
        node.negative = look == Look::not_ahead;
        node.next = next;
        return make(std::move(node));
      };
    }
    const auto [min, max] = quantifier();
    if (min == 1 && max == 1) return inside;
    if (min != 0 || max != 1) refuse("a repeated group");
    return [this, inside](int next) {
      Node node;
      node.kind = Node::Kind::branch;
      node.branches = {inside(next), next};
      return make(std::move(node));
    };
  }

  struct Quantifier {
    int64_t min, max;
  };
  Quantifier quantifier() {
    Quantifier found{1, 1};
    if (take("?")) {
      found = {0, 1};
    } else if (take("*")) {
      found = {0, Node::kUnlimited};
    } else if (take("+")) {
      found = {1, Node::kUnlimited};
    } else if (take("{")) {
      const std::optional<int64_t> first = number();
      found = {first.value_or(0), first.value_or(0)};
      if (take(",")) found.max = number().value_or(Node::kUnlimited);
      if (!first || !take("}") || found.max < found.min)
        refuse("a count that is not {m}, {m,} or {m,n}");
    } else {
      return found;
    }
    if (rest_.starts_with("?") || rest_.starts_with("+")) refuse("a lazy or possessive quantifier");
    return found;
  }
  std::optional<int64_t> number() {
    std::optional<int64_t> value;
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9' && value.value_or(0) < 1000) {
      value = value.value_or(0) * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }

  // A character, an escape, a class, or the point.
  CharacterSet one_set(bool fold) {
    CharacterSet set;
    if (take("[")) {
      read_class(set, fold);
    } else if (take(".")) {
      set.add('\n', '\n');
      set.negate();
    } else if (rest_.starts_with("\\")) {
      if (const auto point = escape(set)) add_folded(set, *point, fold);
    } else {
      static constexpr std::string_view kSigns = "*+?{^)";
      if (kSigns.find(rest_[0]) != std::string_view::npos)
        refuse("\"" + std::string(1, rest_[0]) + "\"");
      add_folded(set, take_character(), fold);
    }
    return set;
  }

  void add_folded(CharacterSet& set, char32_t point, bool fold) const {
    set.add(point, point);
    if (!fold) return;
    const bool upper = point >= 'A' && point <= 'Z', lower = point >= 'a' && point <= 'z';
    if (point >= 0x80) refuse("a character above U+007F where case makes no difference");
    if (!upper && !lower) return;
    const char32_t small = upper ? point + 32 : point;
    set.add(small, small);
    set.add(small - 32, small - 32);
    if (small == 's') set.add(0x17F, 0x17F);    // long s
    if (small == 'k') set.add(0x212A, 0x212A);  // Kelvin sign
  }

  void read_class(CharacterSet& set, bool fold) {
    const bool negative = take("^");
    if (rest_.starts_with("]")) refuse("an empty class");
    while (!take("]")) {
      if (rest_.starts_with("[") || rest_.starts_with("&&")) refuse("a class within a class");
      std::optional<char32_t> first =
          rest_.starts_with("\\") ? escape(set) : std::optional(take_character());
      if (!first) continue;
      if (rest_.starts_with("-") && !rest_.starts_with("-]")) {
        if (fold) refuse("a range where case makes no difference");
        rest_.remove_prefix(1);
        CharacterSet unused;
        const auto last =
            rest_.starts_with("\\") ? escape(unused) : std::optional(take_character());
        if (!last || *last < *first) refuse("a range without its end");
        set.add(*first, *last);
      } else {
        add_folded(set, *first, fold);
      }
    }
    if (negative) set.negate();
  }

  // The character that the escape stands for; none where it is a set, which is added.
  std::optional<char32_t> escape(CharacterSet& set) {
    take("\\");
    const char32_t letter = take_character();
    switch (letter) {
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case 'f': return '\f';
      case 'v': return '\v';
      case 's': set.add_if(is_white_space); return std::nullopt;
      case 'S': set.add_if([](char32_t p) { return !is_white_space(p); }); return std::nullopt;
      case 'd':
      case 'D': add_categories(set, "Nd", letter == 'D'); return std::nullopt;
      case 'p':
      case 'P': add_property(set, letter == 'P'); return std::nullopt;
      case 'x': return hexadecimal(take("{") ? 0 : 2);
      case 'u': return hexadecimal(4);
      default: break;
    }
    const bool sign = letter < 0x80 && !(letter >= '0' && letter <= '9') &&
                      !(letter >= 'a' && letter <= 'z') && !(letter >= 'A' && letter <= 'Z');
    if (!sign) refuse(base::str("\"\\", static_cast<char>(letter), "\""));
    return letter;
  }

  // So many digits; 0: up to "}".
  char32_t hexadecimal(int digits) {
    char32_t value = 0;
    for (int i = 0; digits == 0 ? !take("}") : i < digits; ++i) {
      const char32_t digit = take_character();
      const auto at =
          std::string_view("0123456789abcdef0123456789ABCDEF").find(static_cast<char>(digit));
      if (digit >= 0x80 || at == std::string_view::npos || value >= kNumCodePoints / 16)
        refuse("a wrong number after \\x or \\u");
      value = value * 16 + static_cast<char32_t>(at % 16);
    }
    return value;
  }

  void add_property(CharacterSet& set, bool negative) {
    std::string name;
    if (take("{")) {
      if (take("^")) negative = !negative;
      while (!take("}")) append_utf8(name, take_character());
    }
    add_categories(set, name, negative);
  }

  void add_categories(CharacterSet& set, const std::string& name, bool negative) {
    const auto categories = category_set(name);
    if (!categories) refuse("the property \\p{" + name + "}");
    set.add_if([&](char32_t p) { return in_categories(p, *categories) != negative; });
  }

  std::string_view rest_;
  SplitPattern& pattern_;
  int num_parts_ = 0, depth_ = 0;
};

SplitPattern::SplitPattern(std::string_view expression) {
  PatternParser(expression, *this).parse();
}

SplitPattern SplitPattern::digits(bool individual) {
  SplitPattern pattern;
  PatternParser("", pattern).make_digits(individual);
  return pattern;
}

SplitPattern SplitPattern::literal(std::string_view text) {
  SplitPattern pattern;
  PatternParser(text, pattern).parse_literal();
  return pattern;
}

}  // namespace muonlab::data
