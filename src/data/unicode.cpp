#include "data/unicode.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "data/unicode_tables.hpp"
#include "muonlab/base/error.hpp"

namespace muonlab::data {

namespace {

constexpr std::array<std::string_view, 30> kCategoryNames{
    "Cn", "Cc", "Cf", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nd", "Nl",
    "No", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs"};

std::vector<uint8_t> read_categories() {
  std::vector<uint8_t> categories;
  categories.reserve(kNumCodePoints);
  const char* at = kCategoryRuns.data();
  const char* end = at + kCategoryRuns.size();
  while (at < end) {
    uint32_t run = 0;
    at = std::from_chars(at, end, run, 36).ptr + 1;
    categories.insert(categories.end(), run / kCategoryNames.size(),
                      static_cast<uint8_t>(run % kCategoryNames.size()));
  }
  base::check(categories.size() == kNumCodePoints, "the table of general categories is not whole");
  return categories;
}

}  // namespace

std::optional<CategorySet> category_set(std::string_view name) {
  CategorySet set = 0;
  for (size_t i = 0; i < kCategoryNames.size(); ++i) {
    if (name == kCategoryNames[i] || (name.size() == 1 && kCategoryNames[i][0] == name[0])) {
      set |= CategorySet{1} << i;
    }
  }
  if (set == 0) return std::nullopt;
  return set;
}

bool in_categories(char32_t point, CategorySet set) {
  static const std::vector<uint8_t> categories = read_categories();
  return (set >> categories[point] & 1) != 0;
}

bool is_white_space(char32_t point) {
  return (point >= 9 && point <= 13) || point == ' ' || point == 0x85 || point == 0xA0 ||
         point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
         point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

bool is_numeric(char32_t point) {
  static const CategorySet numbers = *category_set("N");
  // The second and third are new in Unicode 17.
  return in_categories(point, numbers) || (point >= 0x11DE0 && point <= 0x11DE9) ||
         (point >= 0x16FF4 && point <= 0x16FF6);
}

char32_t decode_character(std::string_view text, size_t& length) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    length = 1;
    return lead;
  }
  length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t point = lead & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) point = point << 6 | (byte(i) & 0x3Fu);
  return point;
}

void append_utf8(std::string& out, char32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
    return;
  }
  const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  constexpr std::array<char32_t, 4> kLead{0, 0xC0, 0xE0, 0xF0};
  out += static_cast<char>(kLead[static_cast<size_t>(more)] | point >> (6 * more));
  for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | (point >> (6 * i) & 0x3F));
}

}  // namespace muonlab::data
