#include "data/character_map.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "muonlab/base/error.hpp"

namespace muonlab::data {

namespace {

constexpr size_t kMaxRuleBytes = 1024;
// Units may be shared, so a damaged array can have more paths than there is time for. The largest
// known map takes about a million steps.
constexpr size_t kMaxSteps = 1 << 23;

// Units of a double array as Darts-clone stores them (darts.h, DoubleArrayUnit).
class DoubleArray {
 public:
  DoubleArray(std::string_view units, std::string_view texts, const std::string& label)
      : units_(units.size() / sizeof(uint32_t)), texts_(texts), label_(label) {
    if (units.size() % sizeof(uint32_t) != 0) fail();
    if (!units.empty()) std::memcpy(units_.data(), units.data(), units.size());
  }

  // Sentencepiece follows the bytes of a text through the array and checks no index, so every unit
  // that some text leads to must have the whole block of its successors within the array.
  void collect(uint32_t at, std::string& from, std::vector<CharacterRule>& rules) {
    if (from.size() > kMaxRuleBytes || ++steps_ > kMaxSteps) fail();
    const uint32_t base = at ^ offset(unit(at));
    if ((base | 0xFF) >= units_.size()) fail();
    if (((unit(at) >> 8) & 1) != 0) {  // a text ends here
      const uint32_t value = unit(base) & ~kIsValue;
      if ((unit(base) & kIsValue) == 0 || value >= texts_.size() || from.empty()) fail();
      const std::string_view to = texts_.substr(value);
      if (to.find('\0') == std::string_view::npos) fail();
      rules.push_back({from, std::string(to.substr(0, to.find('\0')))});
    }
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t next = base ^ byte;
      if (label(units_[next]) != byte) continue;
      from.push_back(static_cast<char>(byte));
      collect(next, from, rules);
      from.pop_back();
    }
  }

 private:
  static constexpr uint32_t kIsValue = 1u << 31;

  static uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }
  static uint32_t label(uint32_t unit) { return unit & (kIsValue | 0xFF); }
  uint32_t unit(uint32_t at) const {
    if (at >= units_.size()) fail();
    return units_[at];
  }
  [[noreturn]] void fail() const {
    throw base::Error(label_,
                      ": the table of characters in this sentencepiece model is damaged; get the "
                      "file again");
  }

  std::vector<uint32_t> units_;
  std::string_view texts_;
  const std::string& label_;
  size_t steps_ = 0;
};

}  // namespace

std::vector<CharacterRule> read_character_map(std::string_view bytes, const std::string& label) {
  std::vector<CharacterRule> rules;
  if (bytes.empty()) return rules;
  uint32_t size = 0;
  if (bytes.size() >= sizeof size) std::memcpy(&size, bytes.data(), sizeof size);
  const std::string_view rest = bytes.substr(std::min(bytes.size(), sizeof size));
  const std::string_view units = rest.substr(0, std::min<size_t>(size, rest.size()));
  std::string from;
  DoubleArray(units, rest.substr(units.size()), label).collect(0, from, rules);
  return rules;
}

}  // namespace muonlab::data
