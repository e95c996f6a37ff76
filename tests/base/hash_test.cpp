#include "muonlab/base/hash.hpp"

#include <gtest/gtest.h>

#include "muonlab/base/philox.hpp"

namespace muonlab::base {
namespace {

// Values of the empty input from xxHash's own documentation and test-suite (seed 0).
TEST(Hash, KnownAnswers) {
  EXPECT_EQ(hash_text("").hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2u);
}

TEST(Hash, PiecesGiveTheWhole) {
  std::string text;
  const Philox random(1, Purpose::test);
  for (uint64_t i = 0; i < 5000; ++i) text += static_cast<char>(random.below(i, 256));
  const Hash128 whole = hash_text(text);
  for (uint64_t trial = 0; trial < 50; ++trial) {
    Hasher hasher;
    const Philox cuts(2, Purpose::test, trial);
    std::string_view rest = text;
    for (uint64_t i = 0; !rest.empty(); ++i) {
      const size_t length = std::min<size_t>(rest.size(), cuts.below(i, 700));
      hasher.add(rest.substr(0, length));
      hasher.finish();  // looking does not disturb
      rest.remove_prefix(length);
    }
    EXPECT_EQ(hasher.finish(), whole);
  }
}

TEST(Hash, EveryBitCounts) {
  std::string text(100, 'x');
  const Hash128 before = hash_text(text);
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ 1 << bit % 8);
    EXPECT_NE(hash_text(text), before);
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ 1 << bit % 8);
  }
}

TEST(Hash, HexRoundTrip) {
  const Hash128 value{0x0123456789abcdef, 0x00000000000000ff};
  EXPECT_EQ(value.hex(), "0123456789abcdef00000000000000ff");
  EXPECT_EQ(parse_hash(value.hex()), value);
  EXPECT_FALSE(parse_hash("0123456789abcdef00000000000000f"));
  EXPECT_FALSE(parse_hash("0123456789abcdef00000000000000fG"));
  EXPECT_FALSE(parse_hash("0123456789ABCDEF00000000000000ff"));
}

}  // namespace
}  // namespace muonlab::base
