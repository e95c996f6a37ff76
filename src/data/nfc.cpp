// Normalization form C (Unicode Standard Annex 15).
#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <vector>

#include "data/unicode.hpp"
#include "data/unicode_tables.hpp"

namespace muonlab::data {

namespace {

constexpr char32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161, kTails = 0x11A7;
constexpr char32_t kNumVowels = 21, kNumTails = 28, kNumLeads = 19;
constexpr char32_t kNumSyllables = kNumLeads * kNumVowels * kNumTails;

class Numbers {
 public:
  explicit Numbers(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}
  bool more() const { return at_ < end_; }
  bool take_minus() {
    if (*at_ != '-') return false;
    ++at_;
    return true;
  }
  char32_t next() {
    uint32_t value = 0;
    at_ = std::from_chars(at_, end_, value, 36).ptr + 1;
    return value;
  }

 private:
  const char* at_;
  const char* end_;
};

struct Parts {
  char32_t first, second;
};

struct Tables {
  std::unordered_map<char32_t, Parts> parts;
  std::unordered_map<uint64_t, char32_t> composed;
  std::unordered_map<char32_t, uint8_t> classes;
  // Code points that stand alone: no class, no decomposition, and never the second part of a pair.
  std::vector<bool> plain = std::vector<bool>(kNumCodePoints, true);

  Tables() {
    Numbers runs(kCombiningRuns);
    for (char32_t point = 0; runs.more();) {
      point += runs.next();
      const char32_t end = point + runs.next();
      const auto combining = static_cast<uint8_t>(runs.next());
      for (; point < end; ++point) {
        classes[point] = combining;
        plain[point] = false;
      }
    }
    Numbers rows(kDecompositions);
    for (char32_t point = 0; rows.more();) {
      const bool excluded = rows.take_minus();
      point += rows.next();
      const char32_t first = rows.next(), second = rows.next();
      parts[point] = {first, second};
      plain[point] = false;
      if (second == 0 || excluded) continue;
      composed[key(first, second)] = point;
      plain[second] = false;
    }
    for (char32_t point = kVowels; point < kTails + kNumTails; ++point) plain[point] = false;
  }
  static uint64_t key(char32_t first, char32_t second) { return uint64_t{first} << 32 | second; }

  uint8_t combining(char32_t point) const {
    const auto found = classes.find(point);
    return found == classes.end() ? 0 : found->second;
  }
  void decompose(char32_t point, std::u32string& out) const {
    if (point - kSyllables < kNumSyllables) {
      const char32_t index = point - kSyllables;
      out += kLeads + index / (kNumVowels * kNumTails);
      out += kVowels + index / kNumTails % kNumVowels;
      if (index % kNumTails != 0) out += kTails + index % kNumTails;
      return;
    }
    const auto found = parts.find(point);
    if (found == parts.end()) {
      out += point;
      return;
    }
    decompose(found->second.first, out);
    if (found->second.second != 0) decompose(found->second.second, out);
  }
  // 0 where there is none.
  char32_t compose(char32_t first, char32_t second) const {
    if (first - kLeads < kNumLeads && second - kVowels < kNumVowels) {
      return kSyllables + ((first - kLeads) * kNumVowels + (second - kVowels)) * kNumTails;
    }
    if (first - kSyllables < kNumSyllables && (first - kSyllables) % kNumTails == 0 &&
        second - kTails - 1 < kNumTails - 1) {
      return first + (second - kTails);
    }
    const auto found = composed.find(key(first, second));
    return found == composed.end() ? 0 : found->second;
  }
};

const Tables& tables() {
  static const Tables made;
  return made;
}

void order_marks(std::u32string& points) {
  const Tables& t = tables();
  const auto lower = [&](char32_t a, char32_t b) { return t.combining(a) < t.combining(b); };
  for (auto at = points.begin(); at != points.end();) {
    if (t.combining(*at) == 0) {
      ++at;
      continue;
    }
    const auto end =
        std::find_if(at, points.end(), [&](char32_t p) { return t.combining(p) == 0; });
    std::stable_sort(at, end, lower);
    at = end;
  }
}

void compose(std::u32string& points) {
  const Tables& t = tables();
  size_t starter = std::u32string::npos, out = 0;
  uint8_t last = 0;  // the class of what stands before, after the starter
  for (const char32_t point : points) {
    const uint8_t combining = t.combining(point);
    const bool adjacent = starter != std::u32string::npos && out == starter + 1;
    if (starter != std::u32string::npos && (adjacent || last < combining)) {
      if (const char32_t joined = t.compose(points[starter], point)) {
        points[starter] = joined;
        continue;
      }
    }
    if (combining == 0) starter = out;
    last = combining;
    points[out++] = point;
  }
  points.resize(out);
}

}  // namespace

bool may_change_by_nfc(std::string_view text) {
  // Nothing below U+0300 changes or joins.
  const auto high = std::find_if(text.begin(), text.end(),
                                 [](char c) { return static_cast<uint8_t>(c) >= 0xCC; });
  const std::vector<bool>& plain = tables().plain;
  text.remove_prefix(static_cast<size_t>(high - text.begin()));
  while (!text.empty()) {
    size_t length = 0;
    if (!plain[decode_character(text, length)]) return true;
    text.remove_prefix(length);
  }
  return false;
}

std::string nfc(std::string_view text) {
  if (!may_change_by_nfc(text)) return std::string(text);
  std::u32string points;
  while (!text.empty()) {
    size_t length = 0;
    tables().decompose(decode_character(text, length), points);
    text.remove_prefix(length);
  }
  order_marks(points);
  compose(points);
  std::string out;
  for (const char32_t point : points) append_utf8(out, point);
  return out;
}

}  // namespace muonlab::data
