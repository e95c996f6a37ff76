#include "config/json.hpp"

#include <gtest/gtest.h>

namespace muonlab::config {
namespace {

struct Parsed {
  Value value;
  std::string problem;
};

Parsed parse_text(std::string_view text) {
  Problems problems;
  const auto source = std::make_shared<const Source>(Source{"f.json", ".", Source::file});
  Parsed out{parse_json(text, source, problems), ""};
  try {
    problems.raise();
  } catch (const ConfigError& e) {
    for (const Problem& p : e.problems())
      out.problem += (out.problem.empty() ? "" : "|") + p.line();
  }
  return out;
}

TEST(Json, KnowsWhereEveryKeyAndValueStands) {
  const Parsed p = parse_text("{\n  \"a\": 1,\n  \"b\": [true,\n    {\"c\": \"x\"}]}");
  EXPECT_EQ(p.problem, "");
  EXPECT_EQ(p.value.member("a")->mark.where(), "f.json:2:3");
  EXPECT_EQ(p.value.find("a")->mark.where(), "f.json:2:8");
  EXPECT_EQ(mark_at(p.value, "b").where(), "f.json:3:8");
  EXPECT_EQ(mark_at(p.value, "b[0]").where(), "f.json:3:9");
  EXPECT_EQ(mark_at(p.value, "b[1].c").where(), "f.json:4:11");
  EXPECT_EQ(mark_at(p.value, "b[1].absent").where(), "f.json:4:5") << "the object around it";
}

TEST(Json, CountsColumnsInCharacters) {
  const Parsed p = parse_text("{\"grüße\": 1, \"b\": 2}");
  EXPECT_EQ(p.value.member("b")->mark.where(), "f.json:1:14");
}

TEST(Json, TakesCommentsAndTrailingCommas) {
  const Parsed p = parse_text(R"(// first
{ /* inside, with "quotes" and , } */ "a": [1, 2, /* three */ ], // end, "not": a key
  "url": "http://x/*y*/", // a string keeps its slashes
})");
  EXPECT_EQ(p.problem, "");
  EXPECT_EQ(compact(p.value), R"({"a": [1, 2], "url": "http://x/*y*/"})");
  EXPECT_EQ(p.value.member("url")->mark.where(), "f.json:3:3");
}

TEST(Json, RefusesLooseCommas) {
  EXPECT_EQ(parse_text("[,]").problem.substr(0, 10), "f.json:1:2");
  EXPECT_EQ(parse_text("[1,,]").problem.substr(0, 10), "f.json:1:4");
  EXPECT_EQ(parse_text("{,}").problem.substr(0, 10), "f.json:1:2");
  EXPECT_EQ(parse_text("{\"a\":,}").problem.substr(0, 10), "f.json:1:6");
}

TEST(Json, PlacesSyntaxErrors) {
  EXPECT_EQ(parse_text("{\"a\": 1\n \"b\": 2}").problem,
            "f.json:2:2: unexpected string literal; expected '}'");
  EXPECT_EQ(parse_text("{\"a\" 1}").problem, "f.json:1:6: unexpected number literal; expected ':'");
  EXPECT_EQ(parse_text("{\"a\": tru}").problem.substr(0, 10), "f.json:1:7");
  EXPECT_EQ(parse_text("{\"a\": 01}").problem.substr(0, 10), "f.json:1:7");
  EXPECT_EQ(parse_text("{\"a\": \"x\n}").problem,
            "f.json:1:9: the string is not closed on its line");
  EXPECT_EQ(parse_text("{\"a\": 1").problem, "f.json:1:8: unexpected end of input; expected '}'");
  EXPECT_EQ(parse_text("").problem.substr(0, 10), "f.json:1:1");
  EXPECT_EQ(parse_text("{} {}").problem.substr(0, 10), "f.json:1:4");
  EXPECT_EQ(parse_text("{ /* open").problem, "f.json:1:3: the comment is not closed");
  EXPECT_EQ(parse_text("{\"a\": 1e999}").problem, "f.json:1:7: the number '1e999' is out of range");
}

TEST(Json, NamesBothPlacesOfADuplicateKey) {
  EXPECT_EQ(parse_text("{\"a\": 1,\n \"a\": 2, \"b\": {\"a\": 3, \"a\": 4}}").problem,
            "f.json:2:2: duplicate key \"a\"; first at line 1, column 2|"
            "f.json:2:24: duplicate key \"a\"; first at line 2, column 16");
}

TEST(Json, KeepsIntegersExactly) {
  const Parsed p = parse_text(
      "[9007199254740993, -9223372036854775808, 9223372036854775807, 9223372036854775808, 1.0]");
  EXPECT_EQ(p.value.items[0].integer, 9007199254740993);
  EXPECT_EQ(p.value.items[1].integer, INT64_MIN);
  EXPECT_EQ(p.value.items[2].integer, INT64_MAX);
  EXPECT_TRUE(p.value.items[3].is(Value::Kind::real));
  EXPECT_EQ(p.value.items[3].text, "9223372036854775808");
  EXPECT_TRUE(p.value.items[4].is(Value::Kind::real));
}

TEST(Json, RefusesWhatIsNotUtf8) {
  EXPECT_EQ(parse_text("{\"a\":\n \"b\xFF\"}").problem,
            "f.json:2:4: not UTF-8; save the file in that encoding");
  EXPECT_NE(parse_text("\"\xC0\xAF\"").problem, "");
  EXPECT_NE(parse_text("\"\xED\xA0\x80\"").problem, "") << "a surrogate";
  EXPECT_NE(parse_text("\"\xE2\x82").problem, "") << "cut short";
  EXPECT_EQ(parse_text("\xEF\xBB\xBF{\"a\": 1}").value.member("a")->mark.where(), "f.json:1:2")
      << "a byte order mark";
}

TEST(Json, LimitsDepthAndSize) {
  EXPECT_EQ(parse_text(std::string(64, '[') + std::string(64, ']')).problem, "");
  EXPECT_EQ(parse_text(std::string(65, '[') + std::string(65, ']')).problem,
            "f.json:1:65: nested deeper than 64 levels");
  EXPECT_EQ(parse_text(std::string(900000, '[')).problem,
            "f.json:1:65: nested deeper than 64 levels");
  EXPECT_NE(
      parse_text("[" + std::string(kMaxBytes, ' ') + "]").problem.find("larger than 1048576 bytes"),
      std::string::npos);
}

TEST(Json, PrintsWhatReadsBackEqual) {
  const char* text =
      R"({"a": [0.1, 1e-08, 3, -0.0, true, null, "q\"\\\n\u0001é"], "b": {"c": {}, "d": []}})";
  const Value value = parse_text(text).value;
  EXPECT_EQ(compact(parse_text(compact(value)).value), compact(value));
  EXPECT_EQ(compact(parse_text(pretty(value)).value), compact(value));
  for (double x : {0.1, 1.0 / 3.0, 5e-324, 1.7976931348623157e308, 1e22, 0.0, 123456789.0}) {
    EXPECT_EQ(parse_text(Value::of(x).text).value.real, x);
    EXPECT_TRUE(parse_text(Value::of(x).text).value.is(Value::Kind::real)) << Value::of(x).text;
  }
}

}  // namespace
}  // namespace muonlab::config
