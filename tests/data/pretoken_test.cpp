#include "muonlab/data/pretoken.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "data/random_text.hpp"

namespace muonlab::data {
namespace {

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const Pretoken pretoken = first_pretoken(text);
    parts.emplace_back(pretoken.text);
    text.remove_prefix(pretoken.text.size());
  }
  return parts;
}
using Parts = std::vector<std::string>;

TEST(Pretoken, WordsTakeTheSpaceBeforeThem) {
  EXPECT_EQ(split("Call me Ishmael."), (Parts{"Call", " me", " Ishmael."}));
  EXPECT_EQ(split("a  b   c "), (Parts{"a", " ", " b", "  ", " c", " "}));
  EXPECT_EQ(split("a \n\nb\t\tc"), (Parts{"a", " ", "\n\n", "b", "\t\t", "c"}));
  EXPECT_EQ(split("a \tb"), (Parts{"a", " ", "\t", "b"}));
}

TEST(Pretoken, RawItemsStandAlone) {
  EXPECT_EQ(split("a\xE2\x96\x81 b"), (Parts{"a", "\xE2\x96\x81", " b"}));
  EXPECT_EQ(split(" \xE2\x96\x81"), (Parts{" ", "\xE2\x96\x81"}));
  EXPECT_EQ(split(std::string("a\0b", 3)), (Parts{"a", std::string(1, '\0'), "b"}));
  EXPECT_EQ(split("a\xFF\xC3"), (Parts{"a", "\xFF", "\xC3"}));
}

TEST(Pretoken, LongOnesAreCut) {
  EXPECT_EQ(split(std::string(130, 'x')),
            (Parts{std::string(64, 'x'), std::string(64, 'x'), "xx"}));
  EXPECT_EQ(split(std::string(65, ' ') + "x"), (Parts{std::string(64, ' '), " x"}));
  EXPECT_EQ(split(std::string(64, ' ') + "x"), (Parts{std::string(63, ' '), " x"}));
  EXPECT_EQ(split(std::string(66, '\n')), (Parts{std::string(64, '\n'), "\n\n"}));
}

TEST(Pretoken, KnowsUtf8) {
  EXPECT_EQ(utf8_character_length("a"), 1u);
  EXPECT_EQ(utf8_character_length("é"), 2u);
  EXPECT_EQ(utf8_character_length("語"), 3u);
  EXPECT_EQ(utf8_character_length("👧"), 4u);
  EXPECT_EQ(utf8_character_length("\xF4\x8F\xBF\xBF"), 4u);
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x96", "\xE2\x28\xA1"}) {
    EXPECT_EQ(utf8_character_length(bad), 0u) << bad;
  }
}

TEST(Pretoken, EverySafeCutIsABorderWhateverFollows) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    const std::string head =
        round % 3 == 0 ? random_bytes(random, random() % 900) : random_utf8(random, random() % 40);
    const std::string whole =
        head + random_utf8(random, random() % 10) + random_bytes(random, random() % 6);
    const size_t cut = last_safe_cut(head);
    ASSERT_TRUE(cut > 0 || head.size() <= kMaxPretokenBytes + 8);
    ASSERT_LE(cut, head.size());
    auto parts = split(std::string_view(whole).substr(0, cut));
    const auto rest = split(std::string_view(whole).substr(cut));
    parts.insert(parts.end(), rest.begin(), rest.end());
    ASSERT_EQ(parts, split(whole)) << "round " << round << " cut " << cut;
  }
}

TEST(Pretoken, ATextWithoutWhiteSpaceCanBeCut) {
  const std::string text(100'000, 'x');
  EXPECT_GT(last_safe_cut(text), 99'000u);
  EXPECT_EQ(last_safe_cut(text) % kMaxPretokenCharacters, 0u);
}

}  // namespace
}  // namespace muonlab::data
