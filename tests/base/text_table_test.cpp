#include "muonlab/base/text_table.hpp"

#include <gtest/gtest.h>

#include "muonlab/base/text.hpp"

namespace muonlab::base {
namespace {

using Kind = TextColumn::Kind;

TextTable runs() {
  TextTable table({{"run"}, {"step", Kind::number}, {"state"}});
  table.add_row({"runs/vo_ffn", "400/400", "finished"});
  table.add_row({"runs/größe", "7/400", "stopped"});
  return table;
}

TEST(TextTable, AlignsColumnsByTheirDisplayWidth) {
  EXPECT_EQ(runs().text(80),
            "run             step  state\n"
            "runs/vo_ffn  400/400  finished\n"
            "runs/größe     7/400  stopped\n");
  EXPECT_EQ(runs().text(80, 2).substr(0, 6), "  run ");
}

TEST(TextTable, IsAListWhereTheColumnsDoNotFit) {
  EXPECT_EQ(runs().text(29),
            "runs/vo_ffn\n"
            "  step 400/400\n"
            "  state finished\n"
            "runs/größe\n"
            "  step 7/400   state stopped\n");
}

TEST(TextTable, PartsHaveTheColumnsOfTheWholeTable) {
  EXPECT_EQ(runs().part(1, 1, {.width = 80, .indent = 1, .gap = 4}),
            " run               step    state\n"
            " runs/größe       7/400    stopped\n");
  EXPECT_EQ(runs().part(0, 1, {.width = 30, .gap = 4}),  // the wide gap does not fit
            "run             step  state\n"
            "runs/vo_ffn  400/400  finished\n");
}

TEST(TextTable, BreaksNoWordInTheMiddle) {
  TextTable table({{"setting"}, {"A"}, {"B"}});
  table.add_row({"optimizers.adam.schedule", "[0.001,0.002,0.003,0.004]", "a word or two more"});
  const std::string text = table.text(20);
  for (const std::string word : {"optimizers.adam.schedule", "word", "[0.001,", "0.004]"})
    EXPECT_NE(text.find(word), std::string::npos) << text;
  for (const std::string& line : split(text, '\n')) {
    if (line == "optimizers.adam.schedule") continue;
    EXPECT_LE(display_width(line), 20u) << line;
  }
}

TEST(TextTable, WrapsRunningTextInItsColumn) {
  TextTable table({{"setting"}, {"meaning", Kind::prose}, {"default", Kind::number}});
  table.add_row({"train.batch", "samples of one step over all processes", "32"});
  EXPECT_EQ(table.text(46),
            "setting      meaning                   default\n"
            "train.batch  samples of one step over       32\n"
            "             all processes\n");
  EXPECT_EQ(table.text(30),
            "train.batch\n"
            "  samples of one step over all\n"
            "  processes   default 32\n");
}

TEST(TextTable, ShowsControlCharactersInsteadOfObeyingThem) {
  TextTable table({{""}, {""}});
  table.add_row({"a\x07z\n", "1"});
  EXPECT_EQ(table.text(80), "a\\x07z\\n  1\n");
}

TEST(WrapText, KeepsANumberWithItsSignAndUnit) {
  EXPECT_EQ(wrap_text("a gain of 96 % (p = 0.01) it is", 12),
            (std::vector<std::string>{"a gain of", "96 %", "(p = 0.01)", "it is"}));
  EXPECT_EQ(wrap_text("two  spaces stay", 12), (std::vector<std::string>{"two  spaces", "stay"}));
  EXPECT_EQ(wrap_text("", 12), (std::vector<std::string>{""}));
  EXPECT_EQ(wrap_text("unbreakable", 4), (std::vector<std::string>{"unbreakable"}));
}

// With the time of its square this would take minutes.
TEST(WrapText, OfManyWordsOnOneLine) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "word ";
  const std::vector<std::string> lines = wrap_text(text, text.size());
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(lines[0] == text);
}

}  // namespace
}  // namespace muonlab::base
