#include "muonlab/base/visible.hpp"

#include <sstream>

#include <gtest/gtest.h>

namespace muonlab::base {
namespace {

TEST(Visible, WhatATerminalWouldObeyIsShown) {
  EXPECT_EQ(visible("plain – text\n\twith ümlauts ▸ 文"), "plain – text\n\twith ümlauts ▸ 文");
  EXPECT_EQ(visible("a\x1b]0;title\x07z"), "a\\x1b]0;title\\x07z");
  EXPECT_EQ(visible("a\rb\bc\x7f"), "a\\x0db\\x08c\\x7f");
  EXPECT_EQ(visible(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(visible("\xC2\x9B"
                    "31m"),
            "\\u009b31m")
      << "an escape of one byte in disguise";
  EXPECT_EQ(visible("abc\xE2\x80\xAE"
                    "fed"),
            "abc\\u202efed")
      << "writing turned around";
  EXPECT_EQ(visible("\xFF\xC3"), "\\xff\\xc3");
  EXPECT_EQ(visible("\x1b[31mred\x1b[0m \x1b[2J"), "\x1b[31mred\x1b[0m \\x1b[2J");
}

TEST(Visible, AStreamPassesThroughIt) {
  std::ostringstream out;
  {
    const VisibleStream guard(out);
    out << "a\x1b[2J" << '\n' << "half \xC3";
    out.flush();
    EXPECT_EQ(out.str(), "a\\x1b[2J\nhalf ") << "a character in two pieces waits";
    out << "\xA4 end\x1b";
  }
  EXPECT_EQ(out.str(), "a\\x1b[2J\nhalf ä end\\x1b");
}

}  // namespace
}  // namespace muonlab::base
