#include "data/split_pattern.hpp"

#include <algorithm>

#include "data/pattern_node.hpp"
#include "data/unicode.hpp"
#include "muonlab/base/error.hpp"

namespace muonlab::data {

namespace {

constexpr size_t kNoMatch = std::string_view::npos;
// Of one match: as many as Oniguruma allows, and more where the text is long. Real patterns take a
// few a byte.
constexpr int64_t kMaxSteps = 10'000'000, kMaxStepsPerByte = 100;

// The beginning of the character before `at`.
size_t back(std::string_view text, size_t at) {
  do {
    --at;
  } while ((static_cast<uint8_t>(text[at]) & 0xC0) == 0x80);
  return at;
}

}  // namespace

CharacterSet::CharacterSet() : bits_(kNumCodePoints / 64) {}

void CharacterSet::add(char32_t first, char32_t last) {
  for (char32_t point = first; point <= last; ++point)
    bits_[point / 64] |= uint64_t{1} << point % 64;
}

void CharacterSet::add_all(const CharacterSet& other) {
  for (size_t i = 0; i < bits_.size(); ++i) bits_[i] |= other.bits_[i];
}

void CharacterSet::negate() {
  for (uint64_t& word : bits_) word = ~word;
}

SplitPattern::SplitPattern() = default;
SplitPattern::~SplitPattern() = default;
SplitPattern::SplitPattern(SplitPattern&&) noexcept = default;

void SplitPattern::take_steps(int64_t count, int64_t& steps) const {
  steps -= count;
  if (steps >= 0) return;
  throw base::Error("the pattern ", name_,
                    " by which the tokenizer splits texts takes too long on this text: it can "
                    "match in too many ways; use another tokenizer, or leave the text out");
}

size_t SplitPattern::match_set(const Node& node, std::string_view text, size_t at,
                               int64_t& steps) const {
  const CharacterSet& set = *sets_[static_cast<size_t>(node.set)];
  size_t end = at;
  int64_t count = 0;
  while (count < node.max && end < text.size()) {
    size_t length = 0;
    if (!set.contains(decode_character(text.substr(end), length))) break;
    end += length;
    ++count;
  }
  take_steps(count, steps);
  for (; count >= node.min; --count) {
    const size_t found = match(node.next, text, end, steps);
    if (found != kNoMatch || count == node.min) return found;
    end = back(text, end);
  }
  return kNoMatch;
}

size_t SplitPattern::match(int at_node, std::string_view text, size_t at, int64_t& steps) const {
  while (true) {
    take_steps(1, steps);
    const Node& node = nodes_[static_cast<size_t>(at_node)];
    switch (node.kind) {
      case Node::Kind::accept: return at;
      case Node::Kind::set: return match_set(node, text, at, steps);
      case Node::Kind::end:
        if (at < text.size() && text[at] != '\n') return kNoMatch;
        break;
      case Node::Kind::look_ahead:
        if ((match(node.branches[0], text, at, steps) != kNoMatch) == node.negative)
          return kNoMatch;
        break;
      case Node::Kind::branch:
        for (const int branch : node.branches) {
          if (const size_t found = match(branch, text, at, steps); found != kNoMatch) return found;
        }
        return kNoMatch;
    }
    at_node = node.next;
  }
}

SplitPattern::Range SplitPattern::find(std::string_view text, size_t from) const {
  for (size_t at = from; at < text.size();) {
    const auto byte = static_cast<uint8_t>(text[at]);
    if (first_bytes_[byte]) {
      int64_t steps = kMaxSteps + kMaxStepsPerByte * static_cast<int64_t>(text.size() - at);
      const size_t end = match(start_, text, at, steps);
      if (end != kNoMatch && end > at) return {at, end};
      // Where X+$ fails it fails at every later place of the same run: without this a long run
      // would take a time that grows with its square.
      const Node& first = nodes_[static_cast<size_t>(start_)];
      if (first.kind == Node::Kind::set && first.min == 1 && first.max == Node::kUnlimited &&
          nodes_[static_cast<size_t>(first.next)].kind == Node::Kind::end) {
        size_t length = 0;
        while (at < text.size() && sets_[static_cast<size_t>(first.set)]->contains(
                                       decode_character(text.substr(at), length))) {
          at += length;
        }
        if (length > 0 && at < text.size()) continue;
      }
    }
    do {
      ++at;
    } while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80);
  }
  return {text.size(), text.size()};
}

// Adds the bytes with which a match of the node can begin; false where it can be empty.
bool SplitPattern::first_bytes_of(int at_node, std::vector<bool>& bytes) const {
  const Node& node = nodes_[static_cast<size_t>(at_node)];
  switch (node.kind) {
    case Node::Kind::accept: return false;
    case Node::Kind::set:
      for (char32_t point = 0; point < 0x80; ++point) {
        if (sets_[static_cast<size_t>(node.set)]->contains(point)) bytes[point] = true;
      }
      std::fill(bytes.begin() + 0x80, bytes.end(), true);
      return node.min > 0 || first_bytes_of(node.next, bytes);
    case Node::Kind::end:
    case Node::Kind::look_ahead: return first_bytes_of(node.next, bytes);
    case Node::Kind::branch: {
      bool all = true;
      for (const int branch : node.branches) all &= first_bytes_of(branch, bytes);
      return all;
    }
  }
  return false;
}

void SplitPattern::find_first_bytes() {
  first_bytes_.assign(256, false);
  if (!first_bytes_of(start_, first_bytes_)) {
    // What can match nothing may still match something from any byte on.
    first_bytes_.assign(256, true);
  }
}

}  // namespace muonlab::data
