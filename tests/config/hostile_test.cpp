// Texts made to hide something, to take long or to flood the terminal.
#include <chrono>

#include "config/support.hpp"

namespace muonlab::config {
namespace {

std::string repeated(int count, const std::string& text) {
  std::string out;
  for (int i = 0; i < count; ++i) out += (i > 0 ? "," : "") + text;
  return out;
}

// The whole message; empty when the text is accepted.
std::string message(const std::string& text, const std::vector<std::string>& settings = {}) {
  try {
    parse_config(text, "c.json", settings);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

std::string with_assign(const std::string& lines, int layers = 6) {
  return R"({"optimizers": {"a": {"rule": "adamw"}}, "train": {"steps": 9}, "model": {"layers": )" +
         std::to_string(layers) + R"(}, "assign": [)" + lines + "]}";
}

TEST(Hostile, NothingHidesBehindANulCharacter) {
  const std::string nul(1, '\0');
  EXPECT_EQ(message(minimal() + nul + "\n{\"modle\": 1}"),
            "c.json:1:26: a NUL character, which no text holds; nothing after it would be read\n"
            "1 error; nothing was started.");
  EXPECT_EQ(errors("{\"train\": {\"steps\": 1},\n" + nul + "}").front().substr(0, 28),
            "c.json:2:1: a NUL character,");
  EXPECT_EQ(errors(nul).size(), 1u);
}

TEST(Hostile, AMessageShowsTwentyProblemsAndCountsTheRest) {
  std::string keys;
  for (int i = 0; i < 1000; ++i) keys += ", \"k" + std::to_string(i) + "\": 1";
  const std::string text = message("{\"train\": {\"steps\": 1}" + keys + "}");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 21);
  EXPECT_NE(text.find("\n… and 980 more\n1000 errors; nothing was started."), std::string::npos);
}

TEST(Hostile, AMessageDoesNotGrowWithItsInput) {
  const std::string giant(900000, 'x');
  for (const std::string& text :
       {"{\"" + giant + "\": 1}", minimal("\"seed\": \"" + giant + "\""),
        minimal("\"seed\": " + giant), minimal("\"seed\": 1" + std::string(900000, '0')),
        minimal("\"seed\": \"" + giant), minimal("\"name\": \"" + giant + "\""),
        minimal("\"data\": {\"kind\": \"" + giant + "\"}"),
        minimal("\"model\": {\"from\": \"" + giant + "\"}"),
        minimal("\"extends\": \"" + giant + "\""), minimal("\"a\": 1, \"" + giant + "\": 2"),
        minimal("\"optimizers\": {\"" + giant + "\": {\"rule\": 3}}"),
        with_assign(R"({"params": [")" + giant + R"("], "optimizer": "a"})"),
        with_assign(R"({"params": ["all"], "optimizer": ")" + giant + "\"}"),
        with_assign(R"({"params": ["all@)" + giant + R"("], "optimizer": "a"})")}) {
    const std::string said = message(text);
    EXPECT_NE(said, "") << text.substr(0, 40);
    EXPECT_LT(said.size(), 3000u) << text.substr(0, 40);
  }
  EXPECT_LT(message(minimal(), {"seed=" + giant}).size(), 3000u);
  EXPECT_LT(message(minimal(), {giant + ".x=1"}).size(), 3000u);
}

TEST(Hostile, SyntaxErrorsAreInOurWords) {
  EXPECT_EQ(message("{\"seed\": tru}").substr(0, 70),
            "c.json:1:10: \"tru\" is no value; texts stand in double quotes\n1 error; ");
  EXPECT_EQ(message("{\"train\": {}, \"seed\": nan}").find("last read"), std::string::npos);
}

// 21 s before, from a walk over all lines for each of them.
TEST(Hostile, ManyLinesTakeNoTime) {
  const auto start = std::chrono::steady_clock::now();
  const std::string all = R"({"params": ["all"], "optimizer": "a"})";
  EXPECT_NE(message(with_assign(repeated(20000, all))).find("19999 errors"), std::string::npos);
  const std::string unknown = R"({"params": ["qq"], "optimizer": "b"})";
  EXPECT_NE(message(with_assign(repeated(20000, unknown))).find("40000 errors"), std::string::npos);
  std::string keys;
  for (int i = 0; i < 80000; ++i) keys += ",\"" + std::to_string(i) + "\":1";
  EXPECT_NE(message("{\"train\": {\"steps\": 1}" + keys + "}").find("80000 errors"),
            std::string::npos);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_LT(seconds.count(), 20.0);
}

TEST(Hostile, WorkThatNobodyAsksForIsRefused) {
  const std::string glob = R"({"params": ["*.*.*a"], "optimizer": "a"})";
  EXPECT_NE(message(with_assign(repeated(20000, glob), 4096))
                .find("assign: 20000 selectors, 20000 of them patterns, for 36867 parameters are "
                      "too many; use groups, roles and ranges"),
            std::string::npos);
  std::string names;
  for (int i = 0; i < 1001; ++i) {
    names += (i > 0 ? ",\"o" : "\"o") + std::to_string(i) + "\":{\"rule\":\"sgd\"}";
  }
  expect_error(R"({"optimizers": ${)" + names + R"(}, "train": {"steps": 1}})",
               "optimizers: 1001 of them; at most 1000 are read");
}

}  // namespace
}  // namespace muonlab::config
