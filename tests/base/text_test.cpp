#include "muonlab/base/text.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "muonlab/base/clock.hpp"

namespace muonlab::base {
namespace {

TEST(Nearest, FindsTyposAndNothingFarther) {
  const std::vector<std::string> keys{"model", "data", "optimizers", "schedule", "lr", "train"};
  EXPECT_EQ(nearest("modle", keys), "model");
  EXPECT_EQ(nearest("Model", keys), "model");
  EXPECT_EQ(nearest("optimisers", keys), "optimizers");
  EXPECT_EQ(nearest("optimizer", keys), "optimizers");
  EXPECT_EQ(nearest("schedul", keys), "schedule");
  EXPECT_EQ(nearest("rl", keys), "lr");
  EXPECT_FALSE(nearest("zebra", keys));
  EXPECT_FALSE(nearest("xy", keys));
  EXPECT_FALSE(nearest("", keys));
  EXPECT_FALSE(nearest("model", std::vector<std::string>{}));
}

TEST(Nearest, PrefersTheClosest) {
  const std::vector<std::string> keys{"beta2", "betas", "beta"};
  EXPECT_EQ(nearest("betas_", keys), "betas");
}

TEST(Glob, Stars) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_TRUE(glob_match("model.layers.*.q_proj.weight", "model.layers.11.q_proj.weight"));
  EXPECT_FALSE(glob_match("model.layers.*.q_proj", "model.layers.11.q_proj.weight"));
  EXPECT_TRUE(glob_match("*a*b*c", "xxaxxbxbxxc"));
  EXPECT_FALSE(glob_match("*a*b*c", "xxaxxbxbxx"));
  EXPECT_TRUE(glob_match("**", "abc"));
}

TEST(Glob, SetsMarksAndEscapes) {
  EXPECT_TRUE(glob_match("layers.[0-5].*", "layers.3.v"));
  EXPECT_FALSE(glob_match("layers.[0-5].*", "layers.7.v"));
  EXPECT_TRUE(glob_match("[!qk]_proj", "v_proj"));
  EXPECT_FALSE(glob_match("[!qk]_proj", "q_proj"));
  EXPECT_TRUE(glob_match("[]a]", "]"));
  EXPECT_TRUE(glob_match("a?c", "abc"));
  EXPECT_FALSE(glob_match("a?c", "ac"));
  EXPECT_TRUE(glob_match("a\\*c", "a*c"));
  EXPECT_FALSE(glob_match("a\\*c", "abc"));
  EXPECT_TRUE(glob_match("a[b", "a[b"));
}

TEST(Glob, IsNotExponential) {
  std::string pattern, text(2000, 'a');
  for (int i = 0; i < 500; ++i) pattern += "a*";
  EXPECT_FALSE(glob_match(pattern + "b", text));
}

TEST(Numbers, Commas) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(1234567), "1,234,567");
  EXPECT_EQ(with_commas(-123456), "-123,456");
  EXPECT_EQ(with_commas(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Numbers, Counts) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(945), "945");
  EXPECT_EQ(human_count(0.256), "0.256");
  EXPECT_EQ(human_count(1000), "1.00 k");
  EXPECT_EQ(human_count(12400), "12.4 k");
  EXPECT_EQ(human_count(999999), "1.00 M");
  EXPECT_EQ(human_count(5810000), "5.81 M");
  EXPECT_EQ(human_count(13.8e6), "13.8 M");
  EXPECT_EQ(human_count(405e9), "405 G");
  EXPECT_EQ(human_count(-2500), "-2.50 k");
}

TEST(Numbers, Bytes) {
  EXPECT_EQ(human_bytes(0), "0 bytes");
  EXPECT_EQ(human_bytes(1), "1 byte");
  EXPECT_EQ(human_bytes(999), "999 bytes");
  EXPECT_EQ(human_bytes(1000), "1.0 kB");
  EXPECT_EQ(human_bytes(23'300'000), "23.3 MB");
  EXPECT_EQ(human_bytes(690'000'000), "690 MB");
  EXPECT_EQ(human_bytes(999'999'999), "1.0 GB");
  EXPECT_EQ(human_bytes(std::numeric_limits<uint64_t>::max()), "18.4 EB");
}

TEST(Numbers, Durations) {
  EXPECT_EQ(human_duration(0.00002), "20 µs");
  EXPECT_EQ(human_duration(0.012), "12 ms");
  EXPECT_EQ(human_duration(0.2), "0.2 s");
  EXPECT_EQ(human_duration(45), "45 s");
  EXPECT_EQ(human_duration(59.7), "1 min");
  EXPECT_EQ(human_duration(14 * 60 + 10), "14 min");
  EXPECT_EQ(human_duration(3599), "1 h 00 min");
  EXPECT_EQ(human_duration(65 * 60), "1 h 05 min");
  EXPECT_EQ(human_duration(76 * 3600), "3 d 4 h");
  EXPECT_EQ(human_duration(std::numeric_limits<double>::infinity()), "unknown time");
}

TEST(Numbers, Printf) {
  EXPECT_EQ(fixed(4.9119, 3), "4.912");
  EXPECT_EQ(scientific(0.01, 1), "1.0e-02");
  EXPECT_EQ(significant(1e-5, 6), "1e-05");
  for (const double nan : {std::nan(""), -std::nan("")}) {  // x86 makes negative ones
    EXPECT_EQ(fixed(nan, 4), "nan");
    EXPECT_EQ(scientific(nan, 1), "nan");
    EXPECT_EQ(perplexity_text(nan), "nan");
  }
  EXPECT_EQ(fixed(1e300, 1).size(), 303u);
}

TEST(Columns, CountWhatATerminalShows) {
  EXPECT_EQ(display_width("4.061 ± 0.004"), 13u);
  EXPECT_EQ(display_width("資料"), 4u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("\xFFz\x80"), 3u);
  EXPECT_EQ(clip_text("資料夾", 4), "資…");
  EXPECT_EQ(pad_right("±", 3), "±  ");
  EXPECT_EQ(pad_left("±", 3), "  ±");
  EXPECT_EQ(pad_left("long", 3), "long");
  EXPECT_EQ(clip_text("abcdef", 4), "abc…");
  EXPECT_EQ(clip_text("±±±±±", 3), "±±…");
  EXPECT_EQ(clip_text("abcd", 4), "abcd");
  EXPECT_EQ(clip_text("abcd", 0), "");
}

TEST(Parts, SplitJoinTrim) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
  EXPECT_EQ(join(split("a,,b,", ','), ","), "a,,b,");
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(Utf8, StrictlyTheStandard) {
  for (const char* good : {"", "abc", "é", "€", "😀", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_valid_utf8(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xFF", "a\xE2\x28\xA1"}) {
    EXPECT_FALSE(is_valid_utf8(bad));
  }
}

TEST(Text, BitsPerByteOfUnknownBytesAreNoNumber) {
  EXPECT_EQ(bits_per_byte_text(1.23456), "1.2346");
  EXPECT_EQ(bits_per_byte_text(std::numeric_limits<double>::quiet_NaN()), "–");
}

TEST(Text, LengthsOfTimeAreRead) {
  EXPECT_EQ(parse_duration("3h"), 10800);
  EXPECT_EQ(parse_duration("90min"), 5400);
  EXPECT_EQ(parse_duration("90m"), 5400);
  EXPECT_EQ(parse_duration("1h30m"), 5400);
  EXPECT_EQ(parse_duration("1d12h0.5s"), 129600.5);
  for (const char* wrong :
       {"", "3", "h", "3 h", "30m1h", "1h1h", "-3h", "nanh", "infs", "1e3s", "3hours"})
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
}

TEST(Time, IsoAndAge) {
  EXPECT_EQ(iso_utc(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(iso_utc(951782400), "2000-02-29T00:00:00Z");
  EXPECT_EQ(age_text(3), "just now");
  EXPECT_EQ(age_text(45), "45 s ago");
  EXPECT_EQ(age_text(200), "3 min ago");
  EXPECT_EQ(age_text(7300), "2 h ago");
  EXPECT_EQ(age_text(86400), "1 day ago");
  EXPECT_EQ(age_text(5.5 * 86400), "5 days ago");
  const Stopwatch watch;
  EXPECT_GE(watch.seconds(), 0.0);
  EXPECT_GT(process_cpu_seconds(), 0.0);
}

}  // namespace
}  // namespace muonlab::base
